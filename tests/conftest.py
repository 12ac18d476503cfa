"""Shared by all tests: one thread a worker."""

import os

from hypothesis import settings

# two test workers of two threads each would fight for two cores, and small models gain nothing from a second thread
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["CODEPREF_CACHE"] = "off"  # no test finds what another run kept

settings.register_profile("any machine", deadline=None)  # a busy machine is slow, not wrong
settings.load_profile("any machine")
