"""The folder in which codepref keeps results that later runs can use again."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "CODEPREF_CACHE"
"""The environment variable that names the cache folder. The value "off" switches the cache off."""


def cache_folder() -> Path | None:
    """Return the folder that CODEPREF_CACHE names, or `codepref` in the user's cache folder.

    Return None if CODEPREF_CACHE is "off". Without CODEPREF_CACHE, also return None if XDG_CACHE_HOME names no absolute
    path and the user has no home folder.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        return None if named == "off" else Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        home = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return None
    return home / "codepref"
