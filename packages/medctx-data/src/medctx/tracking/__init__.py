"""MLflow: runs, logged adapters, and the process that closes abandoned runs."""
