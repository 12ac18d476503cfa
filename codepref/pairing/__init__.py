"""Selects preference pairs from verdicts and ratings. The folder `rules` holds the pairing rules."""
