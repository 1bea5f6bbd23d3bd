"""Texts as segments, n-grams and hashes that can be compared by the million."""
