"""What travels between the pool and its clients."""
