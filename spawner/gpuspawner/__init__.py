"""What runs in the hub: spawners whose GPUs come from the pool."""
