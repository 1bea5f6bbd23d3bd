"""The records and files that pass between packages."""
