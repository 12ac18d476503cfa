"""Execution as a reward for TRL's GRPOTrainer and RLOOTrainer, or for a training loop of your own.

reward = ExecutionReward(codepref.load_problems("train.jsonl"))
trl.GRPOTrainer(model, reward_funcs=reward, train_dataset=reward.dataset(), ...)

With `url`, the programs run on the machine of a `codepref serve`.
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
from codepref.execution.tasks import Task, task_digest
from codepref.execution.vacuous import PROVEN, Screening, check_vacuous_tests, screen
from codepref.records import (
    FAIL,
    FAILING_CODES,
    INFRASTRUCTURE,
    PASS,
    SKIPPED,
    Message,
    Problem,
    Solution,
    VacuousTests,
    is_correct,
)
from codepref.sampling.answers import solutions_from_rows
from codepref.sampling.extract import extract_program
from codepref.sampling.prompts import request_messages
from codepref.service.client import Client, JudgeWork

Rule = Literal["share", "pass", "coarse"]
COARSE = (-1.0, -0.6, -0.3, 1.0)
"""The default rewards of the rule "coarse"; see `reward_of`. They are the values of CodeRL (arXiv 2207.01780, eq. 4).
arXiv 2410.18585 uses them for the PPO with which it compares DPO."""


def reward_of(codes: str, compiles: bool, rule: Rule, coarse: Sequence[float] = COARSE) -> float | None:
    """Return the reward of one solution, or None when the reward is unknown.

    codes: the verdict codes of the solution, one for each test. compiles: whether Python can compile the solution. A
    solution that does not compile has the reward `coarse[0]` under the rule "coarse", and 0 under the other rules. For
    other solutions the rules give these rewards:

    - "share": the share of tests that pass. A skipped test does not pass. The reward is unknown if a code is `I`, if
      all codes are `S`, or if there are no codes.
    - "pass": 1 if the solution is correct and 0 if it is wrong.
    - "coarse": `coarse[3]` if the solution is correct. If it is wrong, `coarse[1]` if a code is `E`, `T`, `M` or `X`,
      and otherwise `coarse[2]`: its only failing code is `F`.

    Under "pass" and "coarse" the reward is unknown if the correctness is unknown (`codepref.records.is_correct`).
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
    return coarse[2] if FAILING_CODES.intersection(codes) == {FAIL} else coarse[1]


class ExecutionReward:
    """A reward function for TRL that runs solutions against the tests of their problems, in the sandbox.

    A call takes completions (texts or lists of messages) and the column `task_id` of the data set. It returns a reward
    for each completion, or None when the reward is unknown. TRL gives a completion without a reward the advantage 0.
    Without `url`, all calls share one pool of workers. Stop the workers with `close`, or use the object as a context
    manager.

    problems: the problems of the data set. rule, coarse: see `reward_of`. template: the prompt template; None takes the
    default. limits, jobs, unconfined, vacuous_tests: as in `codepref.execute`. url: the address of a `codepref serve`
    that runs the programs, such as "http://127.0.0.1:8080". token: the token of this server, by default the environment
    variable CODEPREF_TOKEN.

    The constructor raises UserError for problems without tests, for an unknown rule, for `coarse` without four values,
    for `jobs` or `unconfined` beside `url`, for other wrong arguments, and when the server at `url` refuses a request.
    It raises MachineError when the sandbox cannot confine programs, or when the server does not answer or cannot run
    programs. A call raises UserError for a task that is not in `problems`, and what `Engine.run` or, with `url`,
    `Client.judge` raises.

    Attributes: `calls` is the number of calls. `judged` is the number of completions in all calls.
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
        vacuous_tests: VacuousTests = "leave-out",
        url: str | None = None,
        token: str | None = None,
    ) -> None:
        if untested := [problem.task_id for problem in problems if not problem.tests]:
            raise UserError(
                f"rewards need tests, and {len(untested)} of {len(problems)} problems have none, such as "
                f"{untested[0]}. Leave these problems out."
            )
        if rule not in ("share", "pass", "coarse"):
            raise UserError(f"the reward rule must be share, pass or coarse, and is {rule!r}")
        if len(coarse) != 4:
            raise UserError(f"the argument coarse must hold four values, and is {coarse}")
        self.problems = {problem.task_id: problem for problem in problems}
        self.rule: Rule = rule
        self.coarse, self.template = tuple(coarse), template or SOLUTION_TEMPLATE
        self.calls = self.judged = 0
        self._limits = limits or Limits()
        check_vacuous_tests(vacuous_tests)
        self._keeps_vacuous = vacuous_tests == "keep"
        self._screened: dict[str, Screening] = {}
        self._client: Client | None = None
        self._engine: Engine | None = None
        if url is None:
            self._engine = Engine(jobs=jobs, unconfined=unconfined)
        elif jobs is not None or unconfined:
            raise UserError("jobs and unconfined are settings of the server: leave them out where url is given")
        else:
            self._client = Client(url, token)
            self._client.check()
        self.__name__ = f"execution_{rule}"  # TRL logs a reward under its function's name

    def dataset(self) -> Any:
        """Return the problems as a `datasets.Dataset` for TRL, with the columns `prompt` (messages) and `task_id`."""
        import datasets

        return datasets.Dataset.from_list(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of `dataset` as dictionaries."""
        return [
            {"prompt": request_messages(problem, self.template), "task_id": problem.task_id}
            for problem in self.problems.values()
        ]

    def __call__(
        self, prompts: Any = None, completions: Sequence[str | Sequence[Message]] = (), **columns: Any
    ) -> list[float | None]:
        """Return the rewards of the completions, in order. `columns` must hold `task_id`; the prompts are not used."""
        tasks: Sequence[str] = columns["task_id"]
        if unknown := set(tasks) - self.problems.keys():
            raise UserError(
                f"there is no problem for task {sorted(unknown)[0]!r}: create the reward with all problems of the data "
                "set"
            )
        programs = [
            extract_program(_text(completion), self.problems[task])
            for completion, task in zip(completions, tasks, strict=True)
        ]
        self.calls += 1
        self.judged += len(programs)
        codes = self._codes(programs, tasks)
        return [
            reward_of(one, compiles(program), self.rule, self.coarse)
            for one, program in zip(codes, programs, strict=True)
        ]

    def _codes(self, programs: Sequence[str], tasks: Sequence[str]) -> list[str]:
        """Return the verdict codes of the programs, in order. Equal programs of a task run once."""
        distinct: dict[str, dict[str, str]] = {}
        for program, task in zip(programs, tasks, strict=True):
            distinct.setdefault(task, {})[program] = ""
        if self._client is not None:
            self._judge_remotely(self._client, distinct)
        elif self._engine is not None:
            self._judge(self._engine, distinct)
        return [distinct[task][program] for program, task in zip(programs, tasks, strict=True)]

    def _judge(self, engine: Engine, distinct: dict[str, dict[str, str]]) -> None:
        """Write the verdict codes of programs into `distinct`: task -> program -> codes."""
        problems = [self.problems[task] for task in distinct]
        self._screen(engine, problems)
        for matrix in engine.run(self._tasks(problems, distinct), limits=self._limits):
            texts, screening = list(distinct[matrix.task_id]), self._screening_of(matrix.task_id)
            tests = screening.kept(self.problems[matrix.task_id].tests)
            for verdict in matrix.verdicts:
                distinct[matrix.task_id][texts[verdict.solution_id]] = screening.judged(verdict, tests).codes

    def _judge_remotely(self, client: Client, distinct: dict[str, dict[str, str]]) -> None:
        """Write the server's verdict codes of programs into `distinct`: task -> program -> codes."""
        works = [
            JudgeWork(
                self.problems[task],
                [solution.text for solution in self._solutions(self.problems[task], distinct)],
                self._limits,
                "keep" if self._keeps_vacuous else "leave-out",
            )
            for task in distinct
        ]
        for programs, codes in zip(distinct.values(), client.judge(works), strict=True):
            programs.update(zip(programs, codes, strict=True))

    def _tasks(self, problems: Iterable[Problem], distinct: Mapping[str, Mapping[str, str]]) -> Iterable[Task]:
        for problem in problems:
            screening = self._screening_of(problem.task_id)
            yield Task(problem, self._solutions(problem, distinct), screening.run(screening.kept(problem.tests)))

    def _solutions(self, problem: Problem, distinct: Mapping[str, Mapping[str, str]]) -> list[Solution]:
        rows = [{"task_id": problem.task_id, "solution": program} for program in distinct[problem.task_id]]
        return solutions_from_rows(rows, [problem])

    def _screen(self, engine: Engine, problems: Sequence[Problem]) -> None:
        """Find the tests of new problems that prove nothing, once for each problem."""
        new = [problem for problem in problems if problem.task_id not in self._screened and not self._keeps_vacuous]
        tasks = ((problem, problem.tests, task_digest(problem, problem.tests, self._limits)) for problem in new)
        screenings = screen(tasks, engine, self._limits) if new else {}
        self._screened |= {problem.task_id: screenings.get(problem.task_id, PROVEN) for problem in new}

    def _screening_of(self, task: str) -> Screening:
        return self._screened.get(task, PROVEN)

    def close(self) -> None:
        """Stop the workers. The server at `url` does not stop."""
        if self._engine is not None:
            self._engine.close()

    def __enter__(self) -> ExecutionReward:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _text(completion: str | Sequence[Message]) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])


def compiles(program: str) -> bool:
    """Return whether Python can compile the program. A blank program counts as one that does not compile."""
    if not program.strip():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of code such as `1if x`; the user did not write it
            compile(program, "solution", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True
