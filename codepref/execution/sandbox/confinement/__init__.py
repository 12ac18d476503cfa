"""What an untrusted process may do, and how it gives up all other rights."""
