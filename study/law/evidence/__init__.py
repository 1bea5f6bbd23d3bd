"""What a law is fitted to."""
