"""Reads problems from files, hub data sets and the starter into Problem records."""

from codepref.problems.load import load_problems

__all__ = ["load_problems"]
