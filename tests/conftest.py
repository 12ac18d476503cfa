"""Settings of all tests: one thread for each worker, no caches, no deadlines."""

import os

from hypothesis import settings

# two workers with two threads each would compete for two cores, and small models gain nothing from a second thread
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["CODEPREF_CACHE"] = "off"  # no test may use what another run has cached

settings.register_profile("any machine", deadline=None)  # on a busy machine a test may be slow without being wrong
settings.load_profile("any machine")
