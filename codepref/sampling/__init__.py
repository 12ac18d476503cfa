"""Asks models for answers: prompts, engines that turn prompts into raw text, and extraction of code from the text."""
