"""Identifies this copy of codepref, so that a node can compare its own copy with the driver's."""

from __future__ import annotations

import functools
import hashlib
import platform
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


@functools.cache
def code_digest() -> str:
    """Return a hash of all Python files of codepref. Two copies of one version can differ while they are developed."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def own_version() -> tuple[str, str, str]:
    """Return the version of codepref, the hash of its code, and Python's version in the form "3.12"."""
    from codepref import __version__

    return __version__, code_digest(), ".".join(platform.python_version_tuple()[:2])
