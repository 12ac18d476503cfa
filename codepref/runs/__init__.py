"""Runs: a recipe becomes a run directory. The plan of stages, what is pending, how a run continues, its summary."""
