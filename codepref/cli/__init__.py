"""The command line. Each command calls a function of the package and prints what it returns."""
