"""The run directory: atomic writes, what is still owed, the order of stages."""
