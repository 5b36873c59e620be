"""`doctor`: whether everything that a pass needs is there, and what the home is like now."""
