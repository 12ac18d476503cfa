"""Runs solutions against tests in a sandbox. The results are verdicts."""
