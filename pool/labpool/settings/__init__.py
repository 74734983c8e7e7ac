"""pool.yaml and the environment, read, validated and turned into domain values."""
