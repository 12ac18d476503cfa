"""Any source of problems -> Problem records; gold solutions must pass."""

from codepref.problems.load import load_problems

__all__ = ["load_problems"]
