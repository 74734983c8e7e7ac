"""The pool as a web service."""
