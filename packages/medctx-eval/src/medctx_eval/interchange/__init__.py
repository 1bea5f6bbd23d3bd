"""Interchange with other harnesses: their logs read as examined models, our runs and exams in their formats."""
