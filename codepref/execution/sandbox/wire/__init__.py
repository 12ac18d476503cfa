"""Everything that crosses between the engine and the processes of a worker."""
