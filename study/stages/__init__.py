"""The steps of a study: bases, mixes, cells, exams, reports."""
