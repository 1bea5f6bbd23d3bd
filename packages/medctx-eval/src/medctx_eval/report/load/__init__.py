"""Run folders read and brought together for a report."""
