"""The labpool command."""
