"""The stages of a run, in rooms by what they make. Each takes a `Work` and gives what run.json keeps of it."""
