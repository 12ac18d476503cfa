"""Prompts and extraction (pure), and the engines that turn prompts into raw model text."""
