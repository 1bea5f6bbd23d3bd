"""Memory and time of a run before any weights are loaded."""
