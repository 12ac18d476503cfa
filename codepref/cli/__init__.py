"""The command line: one command for each function of the API, grouped by subject. Each command is a thin wrapper."""
