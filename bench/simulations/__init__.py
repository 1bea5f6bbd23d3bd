"""Simulations of the statistics: coverage, power, error rates."""
