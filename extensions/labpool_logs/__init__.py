"""TensorBoard at /logs/<user>/<project>/ and the Jupyter server's link to the pool."""
