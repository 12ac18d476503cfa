"""Runs programs of the fuzzer in tests/execution through the execution engine, and writes a report."""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.common.process import ROOT
from benchmarks.common.results import command_line, log
from benchmarks.common.samples import read_rows


def run(options: argparse.Namespace) -> int:
    """Fuzz the engine, write the report, and print at most 20 findings. Returns 1 if there is a finding, else 0."""
    sys.path.insert(0, str(ROOT / "tests" / "execution"))
    from fuzzing import fuzz

    # The results file is created before the fuzzer lists the files of the machine, so that it is not a finding.
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.touch()
    corpus = completions(options) if options.data else ()
    report = fuzz(
        options.seed, options.count, options.jobs, corpus, quiet_machine=options.quiet_machine, progress=show_progress
    )
    report["command"] = command_line("execution", {str(options.data): "DATA", str(options.out): options.out.name})
    report["new_files_of_unknown_origin"] = len(report["new_files_of_unknown_origin"])
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for finding in report["findings"][:20]:
        print(f"{finding['kind']}, batch {finding['batch']}: {finding['detail'][-300:]}")
    print(
        f"{report['programs']} programs, {report['seconds']} s, {report['finding_count']} findings, "
        f"{report['difference_count']} differences in {report['batches_run_again']} batches that ran a second time; "
        f"written to {options.out}"
    )
    return 1 if report["finding_count"] else 0


def completions(options: argparse.Namespace) -> list[str]:
    """Return the distinct published samples of CodeGen-16B as whole programs, in which `f` is the entry point."""
    folder = options.data / "codegen16b"
    problems = {row["task_id"]: row for row in read_rows(folder / "problems.jsonl.gz")}
    programs: dict[str, None] = {}
    for row in read_rows(folder / "solutions.jsonl.gz"):
        problem = problems[row["task_id"]]
        programs[f"{problem['prompt']}{row['completion']}\nf = {problem['entry_point']}\n"] = None
    return list(programs)


def show_progress(done: int, count: int, seconds: float) -> None:
    """Write the rate and the remaining time to stderr."""
    rate = done / seconds
    log(f"{done} of {count}, {rate:.1f} a second, {(count - done) / rate:.0f} s left")
