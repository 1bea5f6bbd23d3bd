"""Steps, jobs, the graph that orders them and who executes them."""
