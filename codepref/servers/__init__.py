"""Calls OpenAI-compatible servers, with a journal of answers, a ledger of costs and a budget, and starts servers."""
