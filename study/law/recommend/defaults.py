"""What a recommendation is asked for where nothing is said. Imports nothing: commands show it before they compute."""

CONFIDENCE = 0.9
"""How probable it must be that reading is kept."""
UTILITY = "knowledge"
"""What is made large."""
