"""Pairs -> rows (pure) -> a trained checkpoint, through TRL."""
