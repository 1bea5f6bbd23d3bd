"""Overlap between a mix and exams."""
