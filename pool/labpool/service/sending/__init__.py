"""Sending notices to where people want to read them: letters, signed calls, and the round that does it."""
