"""The command line: one module for each group of commands. Each command is a thin wrapper around a function."""
