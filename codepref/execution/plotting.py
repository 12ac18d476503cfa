"""matplotlib's list of fonts, made once outside the sandbox: so that solutions can plot, who can write nothing."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from codepref.execution.expected_cache import cache_folder

SECONDS = 120.0
"""matplotlib looks through all fonts of the machine."""


@functools.cache
def plotting_folder() -> Path | None:
    """The folder that matplotlib finds its list of fonts in, readable by solutions; made where it is not there.

    Without it matplotlib refuses to be imported in the sandbox, since it finds no folder to write to. None where it is
    not installed, fails, or nothing can be kept (see `expected_cache.cache_folder`).
    """
    if importlib.util.find_spec("matplotlib") is None:
        return None
    base = cache_folder()
    if base is None:
        return None
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, OSError, subprocess.SubprocessError):
        folder = base / f"matplotlib-{importlib.metadata.version('matplotlib')}"
        if not any(folder.glob("fontlist*.json")):
            _make(folder)
        return folder
    return None


def _make(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        subprocess.run(
            [sys.executable, "-c", "import matplotlib.font_manager"],
            env={**os.environ, "MPLCONFIGDIR": str(made), "MPLBACKEND": "Agg"},
            check=True,
            capture_output=True,
            timeout=SECONDS,
        )
        shutil.rmtree(folder, ignore_errors=True)
        # another run may have been first; its folder is as good
        with contextlib.suppress(OSError):
            made.rename(folder)
