"""How large an exam must be to show a difference."""
