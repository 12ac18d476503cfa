"""Hub: the cards of models and pairs, and their upload on request."""
