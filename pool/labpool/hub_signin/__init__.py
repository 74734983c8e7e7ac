"""Sign-in for web services behind the hub."""
