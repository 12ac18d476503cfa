"""Verdicts and ratings -> preference pairs. The folder `rules` has one file for each rule."""
