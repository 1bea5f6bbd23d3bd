"""Engines and training steps beside each other, on real weights."""
