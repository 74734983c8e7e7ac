"""The pool: who gets which GPU, when and for how long."""
