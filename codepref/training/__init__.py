"""Training with TRL: pairs, single answers or problems become rows, and the rows train a model."""
