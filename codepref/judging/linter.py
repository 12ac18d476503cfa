"""ruff over many programs at once: what its checks find, and how much its formatter would change.

The only place that calls ruff. Two processes a batch, not one a program.
"""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.errors import InfrastructureError, MachineError

SELECT = "E,W,F,B,C4,SIM,RET,PIE,PERF,N,UP,FURB,ISC,PLR1,PLR5,PLW,RUF"
IGNORE = "E501,W292,UP006,UP007,UP035,UP045,RUF001,RUF002,RUF003"
"""Not asked: line lengths (facts have them), a last newline, and annotations, which a problem's statement sets."""
BATCH = 2000
SILENCER = re.compile(r"#\s*(?=fmt:|yapf:|isort:|noqa|ruff:)")
"""A program may not switch off its own examination."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a program breaks: ruff's code, its words where it is broken first, how often."""

    code: str
    words: str
    count: int


@dataclass(frozen=True, slots=True)
class Lint:
    """findings: by code. reformatted: share of lines that `ruff format` would change; quotes are left as they are."""

    findings: tuple[Finding, ...] = ()
    reformatted: float = 0.0


def lint(programs: Sequence[str]) -> list[Lint]:
    """Examine programs that parse; one Lint each, in their order.

    Raises MachineError when ruff is not installed, InfrastructureError when it fails.
    """
    distinct = list(dict.fromkeys(programs))
    found: dict[str, Lint] = {}
    for start in range(0, len(distinct), BATCH):
        part = distinct[start : start + BATCH]
        found |= dict(zip(part, _batch(part), strict=True))
    return [found[program] for program in programs]


def _batch(programs: Sequence[str]) -> list[Lint]:
    with tempfile.TemporaryDirectory(prefix="codepref-ruff-") as name:
        folder = Path(name)
        before = [SILENCER.sub("# -", program) for program in programs]
        for place, program in enumerate(before):
            (folder / f"p{place}.py").write_bytes(program.encode("utf-8", "replace"))
        reports = _check(folder)
        _ruff("format", "--config", "format.quote-style='preserve'", "--line-length", "88", str(folder), allowed=(0, 2))
        after = [(folder / f"p{place}.py").read_bytes().decode("utf-8") for place in range(len(programs))]
    return [
        Lint(tuple(reports.get(place, ())), _changed(*texts))
        for place, texts in enumerate(zip(before, after, strict=True))
    ]


def _check(folder: Path) -> dict[int, list[Finding]]:
    options = ("--exit-zero", "--ignore-noqa", "--output-format", "json", "--select", SELECT, "--ignore", IGNORE)
    answer = _ruff("check", *options, "--target-version", "py311", str(folder))
    try:
        rows: list[dict[str, Any]] = json.loads(answer)
        by_place: dict[int, dict[str, Finding]] = {}
        for row in rows:
            code = row["code"] or "syntax"
            found = by_place.setdefault(int(Path(row["filename"]).stem[1:]), {})
            known = found.get(code)
            found[code] = Finding(code, known.words if known else row["message"], 1 + (known.count if known else 0))
    except (ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(f"ruff answered what cannot be read ({type(error).__name__}: {error})") from None
    return {place: list(found.values()) for place, found in by_place.items()}


def _ruff(command: str, *options: str, allowed: tuple[int, ...] = (0,)) -> str:
    line = [sys.executable, "-m", "ruff", command, "--isolated", "--no-cache", *options]
    answer = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", errors="replace")
    if answer.returncode == 1 and "No module named ruff" in answer.stderr:
        raise MachineError("the rubric judge needs ruff, which is not installed: pip install ruff")
    if answer.returncode not in allowed:
        raise InfrastructureError(f"ruff {command} failed ({answer.returncode}): {answer.stderr.strip()[-300:]}")
    return answer.stdout


def _changed(before: str, after: str) -> float:
    """Share of the lines that are touched; where lines are only put in, the one before them counts."""
    if before == after:
        return 0.0
    old, new = before.rstrip().splitlines(), after.rstrip().splitlines()
    edits = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    touched = sum(max(1, end - start) for kind, start, end, _, _ in edits if kind != "equal")
    return min(1.0, touched / max(1, len(old)))
