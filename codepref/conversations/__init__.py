"""Rows of other people's data sets -> prompts and answers as messages."""
