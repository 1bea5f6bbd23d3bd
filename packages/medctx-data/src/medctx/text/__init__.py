"""Tokenizers, Books and the tokens that continue a prompt."""
