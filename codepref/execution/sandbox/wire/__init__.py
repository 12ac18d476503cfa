"""Everything that crosses between the processes of a worker."""
