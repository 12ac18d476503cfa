"""Reads files, writes them atomically, hashes content, reads texts that ship with the package, and shows progress."""
