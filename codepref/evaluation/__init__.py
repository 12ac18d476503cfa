"""Measures models, pairs and judges: pass@k, intervals, paired comparisons, audits, grades and the gate."""
