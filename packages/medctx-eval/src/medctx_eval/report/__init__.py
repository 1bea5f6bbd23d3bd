"""Comparison of examined models: statistics, the gate, and the report people read."""
