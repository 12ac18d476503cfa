"""Runs codepref and EvalPlus on the same samples. Finds agreement, pass@k, and the cause of each difference.

In the first runs each system has its own default limits. Both read one file of samples, with one {"task_id",
"solution"} a line: codepref by `codepref.evaluate` with `solutions` and `evalplus`, EvalPlus by `evalplus.evaluate`.
EvalPlus also reads the results file that codepref writes, and prints the pass@k of that file. Samples whose verdicts
differ run again: one at a time in each system, with other limits, and in EvalPlus's own check
(`benchmarks.systems.evalplus_check`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.causes import kind_of
from benchmarks.common.probe import probe
from benchmarks.common.process import run_system
from benchmarks.common.results import log
from benchmarks.common.samples import Row, read_rows, write_rows
from benchmarks.evalplus.causes import cause_of_difference
from codepref.problems.load import load_problems

SETS = {
    "humaneval+ gold": ("humaneval", "evalplus/HumanEvalPlus.jsonl.gz"),
    "mbpp+ gold": ("mbpp", "evalplus/MbppPlus.jsonl.gz"),
    "humaneval+ codegen16b": ("humaneval", "evalplus/HumanEvalPlus.jsonl.gz"),
}
"""Part -> EvalPlus's name of the data set, and its problem file in the data folder."""
STATUSES = {"P": "pass", "T": "timeout"}
"""codepref's verdict code -> EvalPlus's status. All other codes are "fail"."""
ALONE: dict[str, float | None] = {"codepref": 3.0, "evalplus": None}
"""Time limit in seconds of the runs with one sample at a time. None means EvalPlus's own limits."""
LONG_SECONDS = 30.0
"""Wall-clock seconds that an input may take in the runs of EvalPlus with a long limit."""
NO_MEMORY_LIMIT = {"EVALPLUS_MAX_MEMORY_BYTES": "-1"}
"""The environment variable that switches EvalPlus's memory limit off."""


def samples_of(part: str, data: Path, problems: list[Row], count: int | None) -> list[Row]:
    """Return the samples of a part, as both systems read them.

    The samples of a part whose name ends in "gold" are the problems' canonical solutions. A CodeGen-16B completion
    continues a prompt without example tests, so this prompt is put before the completion.
    count: the number of CodeGen-16B samples for each problem. None means all.
    """
    if part != "humaneval+ codegen16b":
        mbpp = part.startswith("mbpp")
        programs = ((row["task_id"], row["canonical_solution"], row["prompt"]) for row in problems)
        return [{"task_id": task, "solution": text if mbpp else prompt + text} for task, text, prompt in programs]
    prompts = {row["task_id"]: row["prompt"] for row in read_rows(data / "codegen16b" / "problems.jsonl.gz")}
    wanted, counts = {row["task_id"] for row in problems}, Counter[str]()
    rows = []
    for row in read_rows(data / "codegen16b" / "solutions.jsonl.gz"):
        task = row["task_id"]
        counts[task] += 1
        if task in wanted and (count is None or counts[task] <= count):
            rows.append({"task_id": task, "solution": prompts[task] + row["completion"]})
    return rows


class Agreement:
    """The comparison of both systems on one part of SETS.

    source: the data folder, the number of problems, and the number of CodeGen-16B samples for each problem. For both
    numbers None means all.
    work: the folder of the files that the systems read and write. workers: the number of processes of each system.
    """

    def __init__(self, part: str, source: tuple[Path, int | None, int | None], work: Path, workers: int) -> None:
        data, problems, samples = source
        self.dataset, file = SETS[part]
        self.file, self.work, self.workers = data / file, work, workers
        rows = read_rows(self.file)
        if part == "humaneval+ codegen16b":
            wanted = {row["task_id"] for row in read_rows(data / "codegen16b" / "problems.jsonl.gz")}
            rows = [row for row in rows if row["task_id"] in wanted]
        self.problems = rows[:problems]
        self.samples = samples_of(part, data, self.problems, samples)
        self.part = part

    def run(self, system: str, samples: Sequence[Row], seconds: float | None = None, **more: Any) -> dict[str, Any]:
        """Run one system on `samples` and return its answer.

        seconds: the time limit of the system, or None for its default. more: further keys of the system's job.

        Only problems that have samples are written, because EvalPlus demands at least one sample of each problem.
        """
        folder = self.work / ("all" if len(samples) == len(self.samples) else "again")
        wanted = {row["task_id"] for row in samples}
        problems = write_rows(folder / "problems.jsonl", (row for row in self.problems if row["task_id"] in wanted))
        job = {"problems": str(problems), "samples": str(write_rows(folder / "samples.jsonl", samples))}
        job |= {"results": str(folder / "codepref_eval_results.json"), "cache": str(self.work / "cache")}
        job |= {"seconds": seconds, "workers": self.workers, "dataset": self.dataset, **more}
        answer = run_system(system, job)
        log(f"{self.part}, {len(samples)} samples: {system} {answer['process_seconds']:.1f} s")
        return answer

    def run_both(self) -> dict[str, Any]:
        """Run both systems and return the result of the part: counts, pass@k and explained differences."""
        ours = self.run("codepref-evaluate", self.samples)
        read = self.run("evalplus-reads", self.samples)
        theirs = self.run("evalplus", self.samples)
        statuses = [
            {"codepref": evalplus_statuses(verdict["status"]), "evalplus": other["status"].split("/")}
            for verdict, other in zip(ours["verdicts"], theirs["verdicts"], strict=True)
        ]
        counts = {
            name: count_agreement([{side: passed(row[side], columns) for side in row} for row in statuses])
            for name, columns in (("base", (0,)), ("plus", (1,)), ("base and plus", (0, 1)))
        }
        pairs = Counter(f"{'/'.join(row['codepref'])} {'/'.join(row['evalplus'])}" for row in statuses)
        different = [
            {"index": index, "codepref": ours["verdicts"][index], "evalplus": theirs["verdicts"][index]}
            for index, row in enumerate(statuses)
            if differ(row)
        ]
        return {
            "problems": len(self.problems),
            "samples": len(self.samples),
            "seconds": {"codepref": ours["process_seconds"], "evalplus": theirs["process_seconds"]},
            "left_out": ours["left_out"],
            "agreement": counts,
            "statuses": dict(pairs.most_common()),
            "pass_at_k": {"codepref": ours["figures"], "evalplus of codepref's file": read["printed"]}
            | {"evalplus": theirs["printed"]},
            "differences": self.explain(different),
        }

    def explain(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run the samples again whose verdicts differ. Returns `rows` with the new results and the cause of each.

        rows: one row for each such sample, with its index and the verdicts of both systems.
        """
        if not rows:
            return []
        chosen = [self.samples[row["index"]] for row in rows]
        alone = {name: self.run(name, chosen, own, workers=1, alone=True)["verdicts"] for name, own in ALONE.items()}
        runs = {
            "no_timeout_factor": self.run(
                "codepref", chosen, ALONE["codepref"], workers=1, alone=True, timeout_factor=None
            )["verdicts"],
            "long_limit": self.run("evalplus", chosen, LONG_SECONDS, workers=1)["verdicts"],
            "no_memory_limit": self.run("evalplus", chosen, LONG_SECONDS, workers=1, environment=NO_MEMORY_LIMIT)[
                "verdicts"
            ],
            "check": self.run("evalplus-check", chosen)["checks"],
        }
        raw = {row["task_id"]: row for row in self.problems}
        loaded = {problem.task_id: problem for problem in load_problems(self.file)}
        explained = []
        for order, (row, sample) in enumerate(zip(rows, chosen, strict=True)):
            again = {"ours": alone["codepref"][order], "theirs": alone["evalplus"][order]}
            results = {"alone": again, **{name: run[order] for name, run in runs.items()}}
            facts = {**results, "ours": row["codepref"], "theirs": row["evalplus"], "peer": "evalplus", "seconds": 1.0}
            facts |= {"solution": sample["solution"], "completion": "", "helpers": []}
            facts["repaired"] = loaded[sample["task_id"]].meta.get("repaired", [])
            gold = self.part.endswith("gold")
            facts["probe"] = {} if gold else probe(raw[sample["task_id"]], sample["solution"])
            cause = cause_of_difference(facts)
            explained.append({**sample, **row, **results, "kind": kind_of(cause), "cause": cause})
        return explained


def evalplus_statuses(codes: str) -> list[str]:
    """Return the verdict codes of the tests "base" and "plus" as EvalPlus's statuses.

    A problem without plus inputs has one test. Its code then gives both statuses.
    """
    statuses = [STATUSES.get(code, "fail") for code in codes]
    return statuses if len(statuses) == 2 else statuses * 2


def passed(statuses: Sequence[str], columns: Sequence[int]) -> bool:
    """Return whether the statuses in all `columns` are "pass". columns: 0 for base, 1 for plus."""
    return all(statuses[column] == "pass" for column in columns)


def differ(row: dict[str, Sequence[str]]) -> bool:
    """Return whether one system passes the sample in base or in plus, and the other system does not."""
    ours, theirs = row["codepref"], row["evalplus"]
    return any((a == "pass") != (b == "pass") for a, b in zip(ours, theirs, strict=True))


def count_agreement(rows: Sequence[dict[str, bool]]) -> dict[str, int]:
    """Count the samples, those on which both systems agree, and those that each system passes."""
    agree = sum(len(set(row.values())) == 1 for row in rows)
    return {"samples": len(rows), "agree": agree} | {
        f"passed by {name}": sum(row[name] for row in rows) for name in ("codepref", "evalplus")
    }
