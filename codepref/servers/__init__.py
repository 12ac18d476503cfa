"""Paid calls to OpenAI-compatible servers: asked with patience, kept for good, counted, never made twice."""
