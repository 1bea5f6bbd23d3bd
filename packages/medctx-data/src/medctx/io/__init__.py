"""Files: atomic writes, JSON lines, journals, digests, mix folders and the cache."""
