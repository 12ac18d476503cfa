"""Files that are whole or absent, hashes of content, and progress."""
