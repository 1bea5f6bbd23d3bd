"""Dialogues that put a Book before a short question."""
