"""Pictures, tables and the structure of the source tree."""
