"""A small exam of the model while it trains, and what follows from it."""
