"""Tokenizers, Books and the tokens of answers that continue a prompt."""
