"""Calls to OpenAI-compatible servers, with retries, a journal of all answers, a ledger of costs, and a budget."""
