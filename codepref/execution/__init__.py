"""Solutions x tests -> verdicts, in a sandbox."""
