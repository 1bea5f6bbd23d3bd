"""Exams that are generated: phenotype facts and needles."""
