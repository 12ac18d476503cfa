"""Prompts and extraction (pure), and the backends that turn prompts into raw model text."""
