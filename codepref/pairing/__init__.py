"""Verdicts -> pairs: one file a rule, all pure."""
