"""Tokens, memory and hours of a study before it runs."""
