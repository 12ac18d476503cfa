"""Calls to OpenAI-compatible servers: retries, a journal of all answers, a ledger of costs, a budget."""
