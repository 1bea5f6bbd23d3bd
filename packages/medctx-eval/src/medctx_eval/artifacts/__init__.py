"""What an exam run leaves on disk and in MLflow."""
