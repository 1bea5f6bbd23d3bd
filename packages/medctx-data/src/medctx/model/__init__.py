"""What a model config states: sizes, training memory and rotary positions."""
