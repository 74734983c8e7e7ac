"""What benchmarks/api.py is made of: one module a question, and what stands beside the pool."""
