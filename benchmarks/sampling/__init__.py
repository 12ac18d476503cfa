"""Measures how fast engines answer the same requests."""
