"""Runs a recipe in a run directory: plans the stages, runs the pending ones, and writes the summary."""
