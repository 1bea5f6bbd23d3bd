"""Files, tables and pictures of the law."""
