"""Judges: a judge model or the rubric rates responses by a coding preference and writes judgments."""
