"""Recomputing the numbers of runs, reports and registered models from what they were computed from."""
