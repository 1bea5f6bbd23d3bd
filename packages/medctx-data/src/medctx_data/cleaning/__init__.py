"""Which rows of a source are used, and why the others are not."""
