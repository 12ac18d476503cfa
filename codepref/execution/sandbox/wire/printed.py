"""The largest outputs and files that a test of the kind "run" sends back."""

MAX_PRINTED = 1 << 20
"""The largest number of bytes of standard output, and of standard error, that are kept (1 MiB each)."""

MAX_FETCHED = 1 << 20
"""The largest size of all files together that are sent back (1 MiB). A file that does not fit is left out."""
