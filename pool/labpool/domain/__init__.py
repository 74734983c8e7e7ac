"""The rules of the pool as values and pure functions: no clock, no input or output."""
