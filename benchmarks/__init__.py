"""Benchmarks of codepref. Each subject has its own package, and `README.md` lists the commands."""
