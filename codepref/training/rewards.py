"""Execution as a reward: what TRL's GRPOTrainer and RLOOTrainer, or your own loop, learn from.

reward = ExecutionReward(codepref.load_problems("train.jsonl"))
trl.GRPOTrainer(model, reward_funcs=reward, train_dataset=reward.dataset(), ...)
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal

from codepref.config.templates import SOLUTION_TEMPLATE
from codepref.errors import UserError
from codepref.execution.engine import Engine
from codepref.execution.limits import Limits
from codepref.execution.tasks import Task
from codepref.records import FAIL, INFRASTRUCTURE, PASS, SKIPPED, Message, Problem, is_correct
from codepref.sampling.answers import solutions_from_rows
from codepref.sampling.extract import extract_program
from codepref.sampling.prompts import request_messages

Rule = Literal["share", "pass", "coarse"]
COARSE = (-1.0, -0.6, -0.3, 1.0)
"""Of a program that does not compile, one that raises, one that fails a test, one that passes: the values of CodeRL
(arXiv 2207.01780, eq. 4) and of the PPO that arXiv 2410.18585 compares DPO with."""


def reward_of(codes: str, compiles: bool, rule: Rule, coarse: Sequence[float] = COARSE) -> float | None:
    """The reward of one solution from its verdict codes, one for each test, or None if it is unknown.

    "share": the share of tests that pass. It is unknown if a test could not be judged (I) or none ran.
    "pass": 1 if the solution is correct, 0 if it is wrong. "coarse": the value of the first that applies: it does not
    compile, it raises (or exceeds its time or memory, or does what is forbidden), it fails a test, it is correct. Both
    are unknown if the correctness is; see `codepref.records.is_correct`.
    """
    if not compiles:
        return coarse[0] if rule == "coarse" else 0.0
    if rule == "share":
        unknown = INFRASTRUCTURE in codes or set(codes) <= {SKIPPED}
        return None if unknown else codes.count(PASS) / len(codes)
    correct = is_correct(codes)
    if correct is None:
        return None
    if rule == "pass":
        return float(correct)
    if correct:
        return coarse[3]
    return coarse[2] if set(codes) <= {PASS, FAIL, SKIPPED, INFRASTRUCTURE} else coarse[1]


class ExecutionReward:
    """A reward function in TRL's form: solutions are run against their problem's tests, in the sandbox.

    Called with completions (texts, or message lists) and the data set's column `task_id`; gives one number a
    completion, or None where the sandbox failed, which TRL leaves out. One set of workers serves all calls: `close`
    it, or use it as a context manager. calls, judged: how often it was asked, and for how many completions.
    Raises UserError for a task that is none of `problems`, MachineError where nothing can be confined.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        *,
        rule: Rule = "share",
        coarse: Sequence[float] = COARSE,
        template: str | None = None,
        limits: Limits | None = None,
        jobs: int | None = None,
        unconfined: bool = False,
    ) -> None:
        if untested := [problem.task_id for problem in problems if not problem.tests]:
            raise UserError(f"{len(untested)} problems have no tests to reward by, such as {untested[0]}")
        if rule not in ("share", "pass", "coarse") or len(coarse) != 4:
            raise UserError(f"reward rule {rule!r} with values {coarse}: share, pass, or coarse with four values")
        self.problems = {problem.task_id: problem for problem in problems}
        self.rule: Rule = rule
        self.coarse, self.template = tuple(coarse), template or SOLUTION_TEMPLATE
        self.calls = self.judged = 0
        self._limits = limits or Limits()
        self._engine = Engine(jobs=jobs, unconfined=unconfined)
        self.__name__ = f"execution_{rule}"  # TRL logs a reward under its function's name

    def dataset(self) -> Any:
        """The problems as a data set for TRL: `prompt` (messages) and `task_id`."""
        import datasets

        return datasets.Dataset.from_list(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `dataset`."""
        return [
            {"prompt": request_messages(problem, self.template), "task_id": problem.task_id}
            for problem in self.problems.values()
        ]

    def __call__(
        self, prompts: Any = None, completions: Sequence[str | Sequence[Message]] = (), **columns: Any
    ) -> list[float | None]:
        """One reward a completion, in order."""
        tasks: Sequence[str] = columns["task_id"]
        if unknown := set(tasks) - self.problems.keys():
            raise UserError(f"no problem for task {sorted(unknown)[0]!r}: give the reward the data set's problems")
        programs = [
            extract_program(_text(completion), self.problems[task])
            for completion, task in zip(completions, tasks, strict=True)
        ]
        self.calls += 1
        self.judged += len(programs)
        codes = self._codes(programs, tasks)
        return [
            reward_of(found, compiles(program), self.rule, self.coarse)
            for found, program in zip(codes, programs, strict=True)
        ]

    def _codes(self, programs: Sequence[str], tasks: Sequence[str]) -> list[str]:
        """Verdict codes in the order of `programs`; equal programs of a task are run once."""
        distinct: dict[str, dict[str, str]] = {}
        for program, task in zip(programs, tasks, strict=True):
            distinct.setdefault(task, {})[program] = ""
        problems = [self.problems[task] for task in distinct]
        for matrix in self._engine.run(self._tasks(problems, distinct), limits=self._limits):
            texts = list(distinct[matrix.task_id])
            for verdict in matrix.verdicts:
                distinct[matrix.task_id][texts[verdict.solution_id]] = verdict.codes
        return [distinct[task][program] for program, task in zip(programs, tasks, strict=True)]

    def _tasks(self, problems: Iterable[Problem], distinct: Mapping[str, Mapping[str, str]]) -> Iterable[Task]:
        for problem in problems:
            rows = [{"task_id": problem.task_id, "solution": program} for program in distinct[problem.task_id]]
            yield Task(problem, solutions_from_rows(rows, [problem]), problem.tests)

    def close(self) -> None:
        """End the workers."""
        self._engine.close()

    def __enter__(self) -> ExecutionReward:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _text(completion: str | Sequence[Message]) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])


def compiles(program: str) -> bool:
    """Whether Python would compile it; an answer without code does not count as a program."""
    if not program.strip():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a model's `1if x` is no business of our user's terminal
            compile(program, "solution", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True
