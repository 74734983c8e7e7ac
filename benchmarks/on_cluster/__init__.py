"""What benchmarks/kubernetes.py is made of: one module a question, and the labs, hub and counts that they need."""
