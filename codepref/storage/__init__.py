"""Reads and writes files, finds the cache folder, hashes content, and shows progress."""
