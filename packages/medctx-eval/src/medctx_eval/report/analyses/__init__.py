"""What a report computes from verdicts."""
