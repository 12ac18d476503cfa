"""Writes files atomically, hashes content, reads texts that ship with the package, and shows progress."""
