"""Time and memory at full scale, without other libraries."""
