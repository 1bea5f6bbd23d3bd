"""Medical facts from a registry package, and their split into taught, untaught and read-only facts."""
