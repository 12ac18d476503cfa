"""Scores of models and of pairs: pass@k, intervals, paired comparisons, audits, grades and the gate."""
