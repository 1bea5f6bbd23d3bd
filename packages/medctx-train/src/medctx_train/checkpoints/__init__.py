"""Adapters, checkpoints and training state on disk."""
