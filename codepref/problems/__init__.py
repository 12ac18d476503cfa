"""Reads problems from any source into Problem records."""

from codepref.problems.load import load_problems

__all__ = ["load_problems"]
