"""Turns rows of published data sets into prompts and answers, which are lists of messages."""
