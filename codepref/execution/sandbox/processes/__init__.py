"""The processes of a worker: supervisor, nurseries, zygotes, test runners and solutions."""
