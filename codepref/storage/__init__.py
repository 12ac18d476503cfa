"""Atomic files, hashes of content, packaged texts, and progress."""
