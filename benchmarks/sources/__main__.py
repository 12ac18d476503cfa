"""Measures the speed and the memory with which `codepref inspect --limit 0` reads a large source of problems.

The rows are made here, in the form of OpenCodeInstruct: a request of 180 words, a program, ten asserts and the
columns with the judgement of a model. They are not rows of that data set.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common.options import RUNS
from benchmarks.common.results import command_line, describe_run, log

TEXT = (
    "a list of integers return the sum function given string number value index sorted unique count filter map reduce "
    "dictionary key tree node graph path first last even odd words order between largest smallest pairs"
)

PROGRAM = """\
def {name}(values, factor=1):
    \"\"\"Return a number that the values give.\"\"\"
    total = 0
    for value in values:
        if value % 2 == 0:
            total += value * factor
        else:
            total -= 1
    places = {{}}
    for place, value in enumerate(values):
        places.setdefault(value, []).append(place)
    return total + len(places)
"""


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield `count` rows in the form of OpenCodeInstruct."""
    generator, words = random.Random(0), TEXT.split()
    judgement = {
        name: {"score": 5, "justification": "x" * 200}
        for name in ("requirement_conformance", "logical_correctness", "edge_case_consideration")
    }
    for number in range(count):
        name = f"number_{number}"
        tests = [f"assert {name}([{at}, {at + 1}], {at}) == {generator.randrange(100)}" for at in range(10)]
        yield {
            "id": f"{number:032x}",
            "input": " ".join(generator.choices(words, k=180)),
            "output": f"```python\n{PROGRAM.format(name=name)}```",
            "domain": "generic",
            "generation_algorithm": "self-instruct",
            "llm_judgement": json.dumps(judgement),
            "unit_tests": json.dumps(tests),
            "tests_execution_status": json.dumps(["pass"] * len(tests)),
            "average_test_score": "1.0",
        }


def main() -> int:
    """Write the rows into a temporary file, inspect it, and write the figures."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.sources", description=__doc__, formatter_class=plain)
    parser.add_argument("--rows", type=int, default=1_000_000, help="default: 1,000,000, about 3 GB on disk")
    parser.add_argument("--out", type=Path, default=RUNS / "sources.json", help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        with open(path, "w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows(options.rows))
        log(f"{options.rows:,} rows, {path.stat().st_size / 2**20:,.0f} MiB")
        start = time.monotonic()
        command = [sys.executable, "-m", "codepref", "inspect", str(path), "--limit", "0", "--json"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        seconds = time.monotonic() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    read = json.loads(done.stdout)
    figures = {
        **describe_run(command_line("sources", {})),
        "rows": options.rows,
        "problems": read["problems"],
        "seconds": round(seconds, 1),
        "rows_per_second": round(options.rows / seconds),
        "rows_per_cpu_second": round(options.rows / (used.ru_utime + used.ru_stime)),
        "memory_mb": round(used.ru_maxrss / 1024),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
