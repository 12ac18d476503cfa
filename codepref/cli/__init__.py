"""One command a stage, plus run, demo, status and report; each is thin over the function of its name."""
