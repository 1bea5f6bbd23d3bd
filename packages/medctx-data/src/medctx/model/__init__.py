"""Sizes of a decoder, its training memory and rotary position overrides."""
