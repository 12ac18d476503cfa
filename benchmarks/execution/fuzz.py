"""The execution engine under generated and mutated programs; exit status 1 when something was found.

python benchmarks/fuzz_execution.py --count 100000 --seed 0 --out fuzz.json [--data DATA]
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "execution"))

from fuzzing import fuzz


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--data", type=Path, help="folder that holds codegen16b: its completions join the corpus")
    parser.add_argument("--quiet-machine", action="store_true", help="nothing else runs: every new file is a finding")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    # made before the first look at the folders, so that it is no finding
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.touch()
    report = fuzz(
        options.seed,
        options.count,
        options.jobs,
        completions(options.data) if options.data else (),
        quiet_machine=options.quiet_machine,
        progress=progress,
    )
    shown = {str(options.data): "DATA", str(options.out): options.out.name}  # paths say nothing about the figures
    words = [shown.get(word, word) for word in sys.argv[1:]]
    report["command"] = " ".join(["python benchmarks/fuzz_execution.py", *words])
    report["new_files_of_unknown_origin"] = len(report["new_files_of_unknown_origin"])
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for finding in report["findings"][:20]:
        print(f"{finding['kind']}, batch {finding['batch']}: {finding['detail'][-300:]}")
    print(
        f"{report['programs']} programs, {report['seconds']} s, {report['finding_count']} findings, "
        f"{report['difference_count']} differences in {report['batches_run_again']} batches run again"
    )
    return 1 if report["finding_count"] else 0


def completions(data: Path) -> list[str]:
    """The published samples of CodeGen-16B as whole programs that define `f`."""
    problems = {row["task_id"]: row for row in rows(data / "codegen16b" / "problems.jsonl.gz")}
    found: dict[str, None] = {}
    for row in rows(data / "codegen16b" / "solutions.jsonl.gz"):
        problem = problems[row["task_id"]]
        found[f"{problem['prompt']}{row['completion']}\nf = {problem['entry_point']}\n"] = None
    return list(found)


def rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def progress(done: int, count: int, seconds: float) -> None:
    rate = done / seconds
    print(f"{done} of {count}, {rate:.1f} a second, {(count - done) / rate:.0f} s to go", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
