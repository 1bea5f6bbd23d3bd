"""Which Books are put before which items, and which requests follow."""
