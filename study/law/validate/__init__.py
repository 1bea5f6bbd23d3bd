"""How well the law predicts what was left out."""
