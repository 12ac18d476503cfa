"""Examines programs with ruff: which rules they break, and how many lines ruff's formatter would change.

No other module calls ruff. Two ruff processes examine a batch of programs: the linter and the formatter.
"""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codepref.errors import InfrastructureError, MachineError
from codepref.judging.findings import Finding, Lint

SELECT = "E,W,F,B,C4,SIM,RET,PIE,PERF,N,UP,FURB,ISC,PLR1,PLR5,PLW,RUF"
IGNORE = "E501,W292,UP006,UP007,UP035,UP045,RUF001,RUF002,RUF003"
"""Rules in the families of SELECT that are not checked.

`codepref.judging.facts` measures the length of lines (E501). A missing newline at the end does not matter (W292). The
instruction often prescribes the annotations and their imports (UP006, UP007, UP035, UP045). Unusual Unicode characters
may be a part of the task (RUF001 to RUF003)."""
BATCH = 2000
"""The largest number of programs that one ruff process examines."""
SUPPRESSION = re.compile(r"#\s*(?=fmt:|yapf:|isort:|noqa|ruff:)")
"""Matches the beginning of a comment such as `# noqa` or `# fmt: off`, which switches checks or the formatter off.

`lint` replaces this beginning with "# -", so that the comment has no effect.
"""


def lint(programs: Sequence[str]) -> list[Lint]:
    """Examine programs that parse. Return one Lint for each program, in the order of the programs.

    Raises MachineError if ruff is not installed, and InfrastructureError if ruff fails or its output cannot be read.
    """
    distinct = list(dict.fromkeys(programs))
    by_program: dict[str, Lint] = {}
    for start in range(0, len(distinct), BATCH):
        batch = distinct[start : start + BATCH]
        by_program |= dict(zip(batch, _lint_batch(batch), strict=True))
    return [by_program[program] for program in programs]


def _lint_batch(programs: Sequence[str]) -> list[Lint]:
    with tempfile.TemporaryDirectory(prefix="codepref-ruff-") as name:
        folder = Path(name)
        before = [SUPPRESSION.sub("# -", program) for program in programs]
        for place, program in enumerate(before):
            (folder / f"p{place}.py").write_bytes(program.encode("utf-8", "replace"))
        findings = _check(folder)
        _ruff("format", "--config", "format.quote-style='preserve'", "--line-length", "88", str(folder), allowed=(0, 2))
        after = [(folder / f"p{place}.py").read_bytes().decode("utf-8") for place in range(len(programs))]
    return [
        Lint(tuple(findings.get(place, ())), _changed_share(*texts))
        for place, texts in enumerate(zip(before, after, strict=True))
    ]


def _check(folder: Path) -> dict[int, list[Finding]]:
    """Run `ruff check`. Return the findings by the program's number in the batch. A clean program has no entry."""
    options = ("--exit-zero", "--ignore-noqa", "--output-format", "json", "--select", SELECT, "--ignore", IGNORE)
    output = _ruff("check", *options, "--target-version", "py311", str(folder))
    try:
        rows: list[dict[str, Any]] = json.loads(output)
        by_place: dict[int, dict[str, Finding]] = {}
        for row in rows:
            code = row["code"] or "syntax"
            by_code = by_place.setdefault(int(Path(row["filename"]).stem[1:]), {})
            first = by_code.get(code, Finding(code, row["message"], 0))
            by_code[code] = Finding(code, first.message, first.count + 1)
    except (ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(f"ruff's output cannot be read ({type(error).__name__}: {error})") from None
    return {place: list(by_code.values()) for place, by_code in by_place.items()}


def _ruff(command: str, *options: str, allowed: tuple[int, ...] = (0,)) -> str:
    line = [sys.executable, "-m", "ruff", command, "--isolated", "--no-cache", *options]
    process = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", errors="replace")
    if process.returncode == 1 and "No module named ruff" in process.stderr:
        raise MachineError("the rubric judge needs ruff, which is not installed. Install it with: pip install ruff")
    if process.returncode not in allowed:
        raise InfrastructureError(
            f"ruff {command} failed with exit status {process.returncode}: {process.stderr.strip()[-300:]}"
        )
    return process.stdout


def _changed_share(before: str, after: str) -> float:
    """Return the share of lines of `before` that differ in `after`, in [0, 1].

    An insertion counts as one line. White space at the end of the programs does not count.
    """
    if before == after:
        return 0.0
    old, new = before.rstrip().splitlines(), after.rstrip().splitlines()
    edits = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    changed = sum(max(1, end - start) for kind, start, end, _, _ in edits if kind != "equal")
    return min(1.0, changed / max(1, len(old)))
