"""The rows of a source, numbered, in memory or in shards on disk."""
