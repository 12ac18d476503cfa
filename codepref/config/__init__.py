"""Recipes: typed sections, read from TOML."""
