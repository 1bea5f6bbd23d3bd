"""A study file: sections, cells and the grid of axes."""
