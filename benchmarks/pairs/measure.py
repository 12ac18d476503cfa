"""How right the pairs of each rule are, chosen from a real model's own tests: precision against the share kept.

    python benchmarks/pairs.py --data DATA --out OUT

DATA/codegen16b holds problems, solutions and test completions as published with CodeT (arXiv 2207.10397), cut into
lines; the truth is HumanEval+ (DATA/evalplus). OUT keeps what was executed; the same command goes on with it.
Writes benchmarks/results/pairs.json and .md.

The protocol: of each test completion the first five asserts; J completions and K asserts are drawn with replacement, as
often as the model wrote them; a rule gives one pair a problem and draw, or none. The pairs of all problems and
draws are sorted by confidence, and the top 20% and 30% of problems times draws are kept. A pair is right when the
chosen solution passes HumanEval+ and the rejected one does not. Where there are fewer pairs, what is missing is wrong.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codepref.evaluation.calibration import expected_calibration_error
from codepref.execution.execute import execute, read_verdicts
from codepref.execution.limits import Limits
from codepref.pairing.pair import RULES, pair, rule_input
from codepref.pairing.rules import RuleInput
from codepref.problems.load import load_problems
from codepref.problems.statements import read_statements
from codepref.records import PASS
from codepref.runs.summary import machine, versions
from codepref.sampling.answers import load_solutions, load_tests
from codepref.sampling.probes import with_probes
from codepref.storage.files import write_json, write_text

RESULTS = Path(__file__).parent / "results"
SHARES = (0.2, 0.3)
SETTINGS = ((10, 50, 20), (100, 100, 4))
"""J solutions, K tests, draws a problem."""
PEERS = {
    "max-pass": ((0.21, 0.23), (0.15, 0.15)),
    "dstc": ((0.25, 0.26), (0.19, 0.18)),
    "codet": ((0.54, 0.48), (0.60, 0.54)),
    "b4": ((0.59, 0.51), (0.68, 0.68)),
}
"""What was measured before with code of the rules' own, by setting and share."""
ASSERTS_PER_COMPLETION = 5
PROBES = 60
TEST_SECONDS = 0.1
TRUE_SECONDS = 10.0
"""A right answer that is slow is right: EvalPlus gives each input four seconds; this is for all of a problem's."""


@dataclass(frozen=True)
class Measured:
    """One problem: its verdicts on the model's own tests, and which solutions pass the true ones."""

    given: RuleInput
    right_S: npt.NDArray[np.bool_]


class Answer(NamedTuple):
    """What a rule said of one draw; confidence -1 where it made no pair."""

    confidence: float
    right: bool


def measure(data: Path, out: Path) -> list[Measured | None]:
    """Execute the whole matrix and the true tests. None where the model wrote no test."""
    problems = load_problems(data / "codegen16b" / "problems.jsonl.gz")
    solutions = load_solutions(data / "codegen16b" / "solutions.jsonl.gz", problems)
    tests = load_tests(data / "codegen16b" / "tests.jsonl.gz", problems, per_completion=ASSERTS_PER_COMPLETION).tests
    probed = with_probes(problems, tests, PROBES)
    own = execute(problems, solutions, probed, limits=Limits(TEST_SECONDS), out=out / "own")
    truth = load_problems(data / "evalplus" / "HumanEvalPlus.jsonl.gz")
    known = {problem.task_id for problem in problems}
    judged = [problem for problem in truth if problem.task_id in known]
    true = execute(judged, solutions, limits=Limits(TRUE_SECONDS), out=out / "true")
    right = {matrix.task_id: np.array([set(v.codes) == {PASS} for v in matrix.verdicts]) for matrix in true}
    measured: list[Measured | None] = []
    for matrix in own:
        given = rule_input(matrix, 0)
        measured.append(Measured(given, right[matrix.task_id]) if given.weight_T.sum() else None)
    return measured


def drawn(given: RuleInput, solutions: int, tests: int, generator: np.random.Generator) -> tuple[RuleInput, Any]:
    """J solutions and K tests, with replacement; a test that is drawn twice counts twice. And the rows drawn."""
    rows = generator.choice(len(given.passed_ST), solutions)
    share_T = given.weight_T / given.weight_T.sum()
    columns, counts = np.unique(generator.choice(len(share_T), tests, p=share_T), return_counts=True)
    return given.part(rows, columns, weight_T=counts, seed=int(generator.integers(2**62))), rows


def ask(problems: Sequence[Measured | None], rule: str, setting: tuple[int, int, int]) -> Iterator[Answer]:
    """The answers of a rule to every problem and draw; the draws are the same for all rules."""
    solutions, tests, draws = setting
    generator = np.random.default_rng(0)
    for problem in problems:
        for _ in range(draws):
            if problem is None:
                yield Answer(-1.0, False)
                continue
            given, rows = drawn(problem.given, solutions, tests, generator)
            found = RULES[rule](given).candidates
            if not found:
                yield Answer(-1.0, False)
                continue
            chosen, rejected = rows[found[0].chosen], rows[found[0].rejected]
            yield Answer(found[0].confidence, bool(problem.right_S[chosen] and not problem.right_S[rejected]))


def figures(answers: Sequence[Answer], draws: int) -> dict[str, Any]:
    """Precision at each share, with an interval over problems, and the calibration of all pairs made."""
    confidence = np.array([answer.confidence for answer in answers])
    right = np.array([answer.right for answer in answers])
    made = confidence >= 0
    error = expected_calibration_error(confidence[made], right[made])
    generator = np.random.default_rng(0)
    problems = np.arange(len(answers)).reshape(-1, draws)
    samples = [problems[generator.integers(len(problems), size=len(problems))].ravel() for _ in range(1000)]
    found: dict[str, Any] = {"pairs": int(made.sum()), "right": float(right[made].mean()), "ece": error}
    for share in SHARES:
        spread = [precision(confidence[rows], right[rows], share) for rows in samples]
        low, high = np.quantile(spread, [0.025, 0.975])
        found[f"at {share:.0%}"] = [precision(confidence, right, share), float(low), float(high)]
    return found


def precision(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], share: float) -> float:
    """Of the most confident share of all draws, how many pairs are right. Ties are broken by a seed."""
    among_equals = np.random.default_rng(0).random(len(confidence))
    kept = np.lexsort((among_equals, -confidence))[: int(share * len(confidence))]
    return float(right[kept].mean())


def selection_seconds(out: Path, rule: str) -> float:
    """What choosing pairs takes over the whole matrix, from the verdicts' file to pairs, without writing them."""
    problems = read_statements(out / "own")
    start = time.perf_counter()
    pair(read_verdicts(out / "own"), problems, rule=rule)
    return time.perf_counter() - start


def table(rows: dict[str, Any], facts: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["# Pairs from self-written tests", "", facts["command"], ""]
    lines += [
        f"{facts['problems']} problems; precision of the most confident pairs, with 95% intervals over problems; in "
        "brackets what was measured before with other code. ECE: expected calibration error over ten bins, of the "
        "rules whose confidence is meant as a probability (the others' only sorts).",
    ]
    for solutions, tests, draws in SETTINGS:
        lines += ["", f"## J = {solutions} solutions, K = {tests} tests, {draws} draws a problem", ""]
        lines += ["| rule | pairs | right | at 20% | at 30% | ECE |", "|---|---|---|---|---|---|"]
        for rule, found in rows[f"{solutions}x{tests}"].items():
            cells = []
            for at, share in enumerate(SHARES):
                value, low, high = found[f"at {share:.0%}"]
                before = PEERS.get(rule, ((), ()))[SETTINGS.index((solutions, tests, draws))]
                cells.append(f"{value:.2f} [{low:.2f}, {high:.2f}]" + (f" ({before[at]:.2f})" if before else ""))
            made, right = found["pairs"], found["right"]
            error = f"{found['ece']:.3f}" if rule == "agreement" else "–"
            lines.append(f"| `{rule}` | {made:,} | {right:.2f} | {' | '.join(cells)} | {error} |")
    lines += ["", f"Choosing over the whole matrix (8,200 solutions): {facts['selection_seconds']:.1f} s."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Execute what is owed, ask every rule, write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/pairs"))
    parser.add_argument("--rules", nargs="+", default=["max-pass", "dstc", "codet", "b4", "agreement"])
    options = parser.parse_args()
    problems = measure(options.data, options.out)
    rows: dict[str, Any] = {}
    for setting in SETTINGS:
        key = f"{setting[0]}x{setting[1]}"
        rows[key] = {rule: figures(list(ask(problems, rule, setting)), setting[2]) for rule in options.rules}
        print(key, rows[key], flush=True)
    facts = {
        "command": "`python benchmarks/pairs.py --data DATA`",
        "problems": len(problems),
        "selection_seconds": selection_seconds(options.out, "agreement"),
        "machine": machine(),
        "versions": versions(),
    }
    write_json(RESULTS / "pairs.json", {**facts, "settings": rows})
    write_text(RESULTS / "pairs.md", table(rows, facts))


if __name__ == "__main__":
    main()
