"""Measures how fast codepref reads sources of problems."""
