"""Decodes many answers at once with a Transformers model. Each answer depends only on its own prompt and seed."""
