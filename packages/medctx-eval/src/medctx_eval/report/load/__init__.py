"""Run folders read and lined up for a report."""
