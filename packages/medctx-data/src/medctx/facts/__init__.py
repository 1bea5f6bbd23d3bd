"""Medical facts that ship with a registry package, and their split into taught, held-out and read-only."""
