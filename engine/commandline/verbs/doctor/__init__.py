"""`doctor`: checks everything that a pass needs, and the state of the home."""
