"""Decodes many answers at once with a Transformers model. The random numbers of an answer depend only on its seed."""
