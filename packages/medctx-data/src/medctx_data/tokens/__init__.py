"""Lengths of Dialogues in tokens."""
