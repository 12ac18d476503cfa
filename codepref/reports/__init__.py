"""Scores and artifacts -> tables, plots and one self-contained HTML page."""
