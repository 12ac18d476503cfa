"""Rates responses by a coding preference, with a judge model or with the rubric, and writes files of judgments."""
