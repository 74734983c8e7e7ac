"""The parts of JupyterHub's REST API that the pool uses."""
