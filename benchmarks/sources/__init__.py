"""How fast codepref reads sources of problems."""
