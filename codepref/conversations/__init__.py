"""Rows of published data sets -> prompts and answers as messages."""
