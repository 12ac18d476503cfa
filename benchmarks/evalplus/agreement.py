"""codepref's verdicts and pass@k beside those of EvalPlus 0.3.1, and BigCodeBench's gold solutions.

    python benchmarks/evalplus_agreement.py --data DATA --out evalplus.json

Parts: gold (canonical) solutions of HumanEval+ and MBPP+, all CodeGen-16B samples on HumanEval+, BigCodeBench's gold
solutions. Both sides have their own default limits and are given one file of samples, {"task_id", "solution"} a line:
codepref by `evaluate --solutions --evalplus`, EvalPlus by `evalplus.evaluate`, which afterwards also reads codepref's
file of results and prints its own pass@k of it. Every sample that one side passes and the other does not is run again
by both, alone, and once more inside EvalPlus's own check with a notebook (`evalplus_why.py`): the cause is told from
that. `evalplus_table.py` makes Markdown of the results. Install evalplus, and what BigCodeBench's problems need, beside
codepref in an environment of their own; samples are run cut off the network, EvalPlus's unconfined, and BigCodeBench's
gold solutions also by plain unittest. DATA holds codegen16b/, evalplus/ and bigcodebench/.
The file is not called evalplus.py, since the package of that name would then not be found beside it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bigcodebench_gold import bigcodebench_gold
from evalplus_causes import cause_of_difference
from execution import facts, keep, log
from execution_causes import kind_of
from execution_network import cut_off
from execution_probe import probe
from execution_process import run_system
from execution_samples import Row, read_rows, write_rows

from codepref.problems.load import load_problems

SETS = {
    "humaneval+ gold": ("humaneval", "evalplus/HumanEvalPlus.jsonl.gz"),
    "mbpp+ gold": ("mbpp", "evalplus/MbppPlus.jsonl.gz"),
    "humaneval+ codegen16b": ("humaneval", "evalplus/HumanEvalPlus.jsonl.gz"),
}
"""Part -> EvalPlus's name of the data set, and its problems under the data folder."""
BIGCODEBENCH = "bigcodebench gold"
PARTS = (*SETS, BIGCODEBENCH)
WORDS = {"P": "pass", "T": "timeout"}


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON file; parts are added to it")
    parser.add_argument("--work", type=Path, help="folder for files of samples and results (default: OUT.work)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--problems", type=int, help="the first so many problems (default: all)")
    parser.add_argument("--samples", type=int, help="CodeGen-16B samples a problem (default: all 100)")
    parser.add_argument(
        "--explain", action="store_true", help="only run the samples that differ in --out again, and tell their causes"
    )
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args(given)


def main() -> None:
    options = arguments()
    cut_off()
    work = options.work or options.out.with_suffix(".work")
    for part in options.parts:
        start, before = time.time(), facts(options, "evalplus_agreement.py")
        if part == BIGCODEBENCH:
            result = bigcodebench_gold(options.data / "bigcodebench" / "bigcodebench-first20.jsonl.gz")
        elif options.explain:
            kept = json.loads(options.out.read_text(encoding="utf-8"))[part]
            result = kept.pop("result")
            before = kept
            bench = Agreement(part, options, work / part.replace(" ", "-"))
            result["differences"] = bench.explained(result["differences"])
        else:
            result = Agreement(part, options, work / part.replace(" ", "-")).result()
        before.setdefault("wall_seconds", round(time.time() - start, 1))
        keep(options.out, part, {**before, "result": result})
        log(f"{part}: written to {options.out.name}")


def samples_of(part: str, data: Path, problems: list[Row], each: int | None) -> list[Row]:
    """The rows that both sides read. CodeGen-16B continues a prompt without example tests, which is put before it."""
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
        if task in wanted and (each is None or counts[task] <= each):
            rows.append({"task_id": task, "solution": prompts[task] + row["completion"]})
    return rows


class Agreement:
    """One part: both systems on one file of samples."""

    def __init__(self, part: str, options: argparse.Namespace, work: Path) -> None:
        self.dataset, file = SETS[part]
        self.file, self.work, self.workers = options.data / file, work, options.workers
        rows = read_rows(self.file)
        if part == "humaneval+ codegen16b":
            wanted = {row["task_id"] for row in read_rows(options.data / "codegen16b" / "problems.jsonl.gz")}
            rows = [row for row in rows if row["task_id"] in wanted]
        self.problems = rows[: options.problems]
        self.samples = samples_of(part, options.data, self.problems, options.samples)
        self.part = part

    def run(self, system: str, samples: Sequence[Row], seconds: float | None = None, **more: Any) -> dict[str, Any]:
        """One system on these samples and the problems that they are of, since EvalPlus asks for one of each."""
        folder = self.work / ("all" if len(samples) == len(self.samples) else "again")
        wanted = {row["task_id"] for row in samples}
        problems = write_rows(folder / "problems.jsonl", (row for row in self.problems if row["task_id"] in wanted))
        job = {"problems": str(problems), "samples": str(write_rows(folder / "samples.jsonl", samples))}
        job |= {"results": str(folder / "codepref_eval_results.json"), "cache": str(self.work / "cache")}
        job |= {"seconds": seconds, "workers": self.workers, "dataset": self.dataset, **more}
        answer = run_system(system, job)
        log(f"{self.part}, {len(samples)} samples: {system} {answer['process_seconds']:.1f} s")
        return answer

    def result(self) -> dict[str, Any]:
        ours = self.run("codepref-evaluate", self.samples)
        read = self.run("evalplus-reads", self.samples)
        theirs = self.run("evalplus", self.samples)
        words = [
            {"codepref": words_of(mine["word"]), "evalplus": other["word"].split("/")}
            for mine, other in zip(ours["verdicts"], theirs["verdicts"], strict=True)
        ]
        counts = {
            name: counted([{side: passed(pair, at) for side, pair in row.items()} for row in words])
            for name, at in (("base", (0,)), ("plus", (1,)), ("base and plus", (0, 1)))
        }
        return {
            "problems": len(self.problems),
            "samples": len(self.samples),
            "seconds": {"codepref": ours["process_seconds"], "evalplus": theirs["process_seconds"]},
            "left_out": ours["left_out"],
            "agreement": counts,
            "words": dict(Counter(f"{'/'.join(w['codepref'])} {'/'.join(w['evalplus'])}" for w in words).most_common()),
            "pass_at_k": {"codepref": ours["figures"], "evalplus of codepref's file": read["printed"]}
            | {"evalplus": theirs["printed"]},
            "differences": self.explained(
                [
                    {"place": at, "codepref": ours["verdicts"][at], "evalplus": theirs["verdicts"][at]}
                    for at, row in enumerate(words)
                    if differ(row)
                ]
            ),
        }

    def explained(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows (place of the sample, both verdicts) with what further runs of these samples say, and the cause."""
        if not rows:
            return []
        chosen = [self.samples[row["place"]] for row in rows]
        alone = {name: self.run(name, chosen, own, workers=1, alone=True)["verdicts"] for name, own in ALONE.items()}
        generous = self.run("codepref", chosen, ALONE["codepref"], workers=1, alone=True, patience=None)["verdicts"]
        patient = self.run("evalplus", chosen, PATIENT, workers=1)["verdicts"]
        roomy = self.run("evalplus", chosen, PATIENT, workers=1, environment=ROOMY)["verdicts"]
        why = self.run("evalplus-why", chosen)["why"]
        raw = {row["task_id"]: row for row in self.problems}
        known = {problem.task_id: problem for problem in load_problems(self.file)}
        found = []
        for order, (row, sample) in enumerate(zip(rows, chosen, strict=True)):
            again = {"ours": alone["codepref"][order], "theirs": alone["evalplus"][order]}
            told = {"alone": again, "generous": generous[order], "patient": patient[order], "roomy": roomy[order]}
            told["why"] = why[order]
            facts = {**told, "ours": row["codepref"], "theirs": row["evalplus"], "peer": "evalplus", "seconds": 1.0}
            facts |= {"solution": sample["solution"], "completion": "", "helpers": []}
            facts["repaired"] = known[sample["task_id"]].meta.get("repaired", [])
            gold = self.part.endswith("gold")
            facts["probe"] = {} if gold else probe(raw[sample["task_id"]], sample["solution"])
            cause = cause_of_difference(facts)
            found.append({**sample, **row, **told, "kind": kind_of(cause), "cause": cause})
        return found


ALONE: dict[str, float | None] = {"codepref": 3.0, "evalplus": None}
"""Limits of the second run: codepref's default, and EvalPlus's own."""
PATIENT = 30.0
"""Seconds by the wall clock that every input may take when EvalPlus is asked once more."""
ROOMY = {"EVALPLUS_MAX_MEMORY_BYTES": "-1"}
"""EvalPlus without its limit of memory."""


def words_of(codes: str) -> list[str]:
    """Codes of the tests base and plus in EvalPlus's words; a problem without plus inputs has one code."""
    told = [WORDS.get(code, "fail") for code in codes]
    return told if len(told) == 2 else told * 2


def passed(pair: Sequence[str], at: Sequence[int]) -> bool:
    return all(pair[place] == "pass" for place in at)


def differ(row: dict[str, Sequence[str]]) -> bool:
    ours, theirs = row["codepref"], row["evalplus"]
    return any((a == "pass") != (b == "pass") for a, b in zip(ours, theirs, strict=True))


def counted(rows: Sequence[dict[str, bool]]) -> dict[str, int]:
    """How many verdicts there are, on how many both sides agree, and how many each passes."""
    agree = sum(len(set(row.values())) == 1 for row in rows)
    return {"samples": len(rows), "agree": agree} | {
        f"passed by {name}": sum(row[name] for row in rows) for name in ("codepref", "evalplus")
    }


if __name__ == "__main__":
    main()
