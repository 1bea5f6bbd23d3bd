"""Files of questions read into exam items."""
