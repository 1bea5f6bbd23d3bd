"""Published exams, one module each."""
