"""Prompts as token ids through a chat template."""
