"""Power of paired comparisons and the exam sizes they need."""
