"""The gate, Pareto positions and the cards of cells."""
