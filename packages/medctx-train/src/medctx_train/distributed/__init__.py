"""One process or several, and the accelerate configs that come with the package."""
