"""Asks models for answers and extracts programs and tests from them. Engines turn prompts into raw text."""
