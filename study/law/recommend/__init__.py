"""The recommended composition."""
