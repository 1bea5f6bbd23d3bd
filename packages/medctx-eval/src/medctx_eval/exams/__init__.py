"""Exam builders, one module each."""
