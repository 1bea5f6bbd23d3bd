"""The study in MLflow: its run, its cells, its registered models."""
