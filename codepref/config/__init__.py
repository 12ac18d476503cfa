"""Recipes: typed sections that are read from TOML."""
