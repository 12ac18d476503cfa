"""Everything that the engine and the processes of a worker send to one another, and the page of memory they share."""
