"""A mix on disk and in MLflow."""
