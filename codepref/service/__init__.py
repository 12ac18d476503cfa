"""The sandbox behind HTTP. Requests hold solutions or programs, and answers hold their verdicts or outputs."""
