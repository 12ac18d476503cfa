"""The processes of a worker: supervisor, zygotes, test runners and solutions."""
