"""The gate, Pareto positions and the decision file."""
