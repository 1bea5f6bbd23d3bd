"""What only benchmarks and tests import: simulated exams and studies."""
