"""Values in, values out: the part of the engine that decides.

Nothing here blocks, waits, logs, reads a clock or draws a random number; time and settings arrive as
arguments. The import contracts in `pyproject.toml` hold it to that.
"""
