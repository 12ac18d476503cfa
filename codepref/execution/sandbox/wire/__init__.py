"""The forms of the data that the engine and the processes of a worker send to one another, and the status page."""
