"""Measuring side by side: measurements kept at once, arms in turns, medians and ratios, environments of the peers."""
