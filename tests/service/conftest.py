"""A server in a process of its own, which most tests of this folder share."""

from collections.abc import Iterator

import pytest
from running import Running


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    """Yield a server with one worker, at a free port."""
    with Running("--jobs", "1", "--cpu-seconds", "2", "--body-mb", "2") as running:
        yield running
