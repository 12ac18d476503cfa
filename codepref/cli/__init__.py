"""The command line. Each command calls functions of the package and prints their results."""
