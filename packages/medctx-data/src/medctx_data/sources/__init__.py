"""Where Dialogues come from, one module each."""
