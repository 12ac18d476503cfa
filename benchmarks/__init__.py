"""Benchmarks of codepref, one package a subject; `README.md` lists the commands."""
