"""The sandbox behind HTTP: solutions and programs in requests -> verdicts and outputs in answers."""
