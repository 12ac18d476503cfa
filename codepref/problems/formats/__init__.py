"""One file a published form. What they share is in `codepref.problems.fields`, the list of them in `.registry`."""
