"""Decodes many answers at once with a Transformers model. Its seed alone decides the random numbers of an answer."""
