"""The class `Work`, from which the stages of a run take the recipe, the problems, the folders and the seeds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codepref.config.pool import Member
from codepref.config.recipe import Recipe
from codepref.errors import UserError
from codepref.execution.limits import Limits
from codepref.problems.contamination import Overlap, overlaps, problem_text
from codepref.problems.left_out import LeftOut, ProblemList, left_out_of
from codepref.problems.load import load_problems
from codepref.problems.source_names import with_conditions
from codepref.records import Instruction, Message, Problem
from codepref.runs.directory import RunDirectory
from codepref.runs.instructions import as_problems, load_recipe_benchmark, load_recipe_instructions
from codepref.sampling.engines import Engine, model_fingerprint, open_engine
from codepref.sampling.engines.launched import LaunchedEngine, Servers
from codepref.sampling.pool import check_local
from codepref.storage.files import content_hash
from codepref.storage.progress import ProgressLine
from codepref.training.job import ValidationSettings
from codepref.training.methods import load_method
from codepref.training.requirements import check_requirements, check_trainable

ProgressFor = Callable[[str], ProgressLine]
BENCHMARK_ID = re.compile(r"(Mbpp|HumanEval|BigCodeBench)/\d+$")


@dataclass(frozen=True)
class Work:
    """The object that every stage of a run gets.

    Attributes:
        run, recipe: the run directory and the recipe.
        train, heldout, validation: the problems. If the recipe names instructions, `train` holds these as problems. If
            it names ready pairs, `train` is empty.
        tasks: the instructions that the recipe names. Empty if it names none.
        progress_for: a function that returns a new progress line with the label that it is given.
        unconfined: whether model code runs without Landlock.
        contaminated: an Overlap for each training problem that was left out because it contains a held-out problem.
        left_out: the rows of problems that were left out because something is wrong with them, by recipe key.
        not_chosen: the number of rows of `problems.train` that were read and do not meet the conditions.
        round: the number of the round, from 1.
        servers: starts the server of `[engine]` for one model at a time, or None if the recipe names no such server.
        log: called with messages for the user.
    """

    run: RunDirectory
    recipe: Recipe
    train: Sequence[Problem]
    heldout: Sequence[Problem]
    progress_for: ProgressFor
    unconfined: bool
    tasks: Sequence[Instruction] = ()
    contaminated: Sequence[Overlap] = ()
    validation: Sequence[Problem] = ()
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    not_chosen: int = 0
    round: int = 1
    servers: Servers | None = None
    log: Callable[[str], None] = lambda text: None

    @property
    def out(self) -> Path:
        """The run directory."""
        return self.run.path

    @property
    def folder(self) -> Path:
        """The folder of this round's files. The last round's folder is the run directory."""
        return self.run.round_folder(self.round)

    @property
    def policy(self) -> str:
        """The policy of this round: in round 1 the recipe's model, in later rounds the model of the previous round."""
        return self.recipe.model.path if self.round == 1 else str(self.run.round_folder(self.round - 1) / "checkpoint")

    def engine(self, model: str) -> str | Engine:
        """Return the engine that answers for `model` on a server that codepref starts.

        If the recipe names no such server, return `model`.
        """
        return LaunchedEngine(self.servers, model, self.short_name(model)) if self.servers else model

    def sampler(self) -> str | Engine:
        """Return the engine, or the model, that answers the training problems of this round.

        With an online method the model `start` answers, since training begins with it. Otherwise `policy` answers. The
        servers of `model.base_url` answer only for the recipe's own model.
        """
        section = self.recipe.model
        model = self.start if load_method(self.recipe.training.method).online else self.policy
        if section.base_url and model == section.path:
            return open_engine(section.path, server=section, log=self.log)
        return self.engine(model)

    def member(self, label: str, model: str) -> Member:
        """Return `model` as a member of a pool with the name `label`. If it needs a server, start the server."""
        if self.servers:
            return self.servers.member(model, self.short_name(model), label)
        return Member(name=label, model=model)

    def short_name(self, model: str) -> str:
        """Return the name of a model of this run for its server: base, sft, baseline, round-N or aligned."""
        if model == self.recipe.model.path:
            return "base"
        folders = {self.out / "sft": "sft", self.out / "baseline": "baseline", self.out / "checkpoint": "aligned"}
        return folders.get(Path(model)) or f"round-{Path(model).parent.name}"

    @property
    def limits(self) -> Limits:
        """The sandbox's limits from the recipe."""
        return Limits(cpu_seconds=self.recipe.execution.cpu_seconds, memory_mb=self.recipe.execution.memory_mb)

    @property
    def self_tested(self) -> bool:
        """Whether the recipe asks the model to write tests (`sampling.tests` is above 0)."""
        return self.recipe.sampling.tests > 0

    @property
    def by_feedback(self) -> bool:
        """Whether a pool of models answers instructions. Otherwise the model answers problems."""
        return bool(self.recipe.instructions.source)

    @property
    def start(self) -> str:
        """The model from which this round's training starts. It is also the reference model, if the method has one."""
        if self.round > 1 and self.recipe.training.round_start == "last":
            return self.policy
        return str(self.out / "sft") if self.recipe.sft.data else self.recipe.model.path

    def inputs(self) -> dict[str, str]:
        """Return hashes of the problems and of the model by recipe key. All stages of a run must use equal inputs.

        The key of `train` is `problems.train`, also if the recipe names instructions.
        """
        named = {"problems.train": self.train, "problems.heldout": self.heldout}
        named |= {"validation.problems": self.validation} if self.validation else {}
        hashes = {name: content_hash([_facts(problem) for problem in problems]) for name, problems in named.items()}
        return hashes | {"model.path": model_fingerprint(self.recipe.model.path)}

    def seed(self, stage: str) -> int:
        """Return the seed of a stage in this round. It depends only on the recipe's seed, the stage and the round."""
        return int(content_hash(self.recipe.seed, stage, *([self.round] if self.round > 1 else []))[:7], 16)

    def validation_settings(self) -> ValidationSettings | None:
        """Return the settings of the validation, or None if the recipe names no validation problems."""
        if not self.validation:
            return None
        validation, evaluation = self.recipe.validation, self.recipe.evaluation
        return ValidationSettings(
            self.validation,
            temperature=evaluation.temperature,
            top_p=evaluation.top_p,
            max_new_tokens=evaluation.max_new_tokens,
            samples=validation.samples,
            every=validation.every,
            patience=validation.patience,
            template=self.recipe.sampling.solution_template,
            batch_size=self.recipe.sampling.batch_size,
            limits=self.limits,
            jobs=self.recipe.execution.jobs or None,
            unconfined=self.unconfined,
            vacuous_tests=self.recipe.execution.vacuous_tests,
        )


def load_work(
    run: RunDirectory,
    progress_for: ProgressFor,
    unconfined: bool,
    servers: Servers | None = None,
    log: Callable[[str], None] = lambda text: None,
) -> Work:
    """Load the problems and instructions that the recipe names, and check the recipe against this machine.

    servers: starts the server of `[engine]`, if the recipe names one. log: called with messages for the user.

    Bad rows of problems are left out, with a warning, unless `problems.strict` is set.
    Raises UserError if two of the three sets of problems share a problem, if no held-out problem has tests, if a
    validation problem has no tests, if every training problem is left out because it contains a held-out problem, if
    the recipe's model cannot be trained as the recipe says, or if a file or data set that this function reads is
    missing or malformed. Raises MachineError if, for example, the hub cannot be reached or a package that
    `training.report_to` needs is missing.
    """
    recipe, strict = run.recipe, run.recipe.problems.strict
    tasks: Sequence[Instruction] = ()
    train: Sequence[Problem]
    if recipe.instructions.source:
        tasks = load_recipe_instructions(recipe).tasks
        train = as_problems(tasks)
        check_local(recipe.pool)
    elif recipe.pairing.source:
        train = ()  # the pairs are ready, so no problem is answered
    else:
        source = with_conditions(recipe.problems.train, recipe.choice.where)
        train = load_problems(source, limit=recipe.problems.train_limit or None, strict=strict)
    not_chosen = train.not_chosen if isinstance(train, ProblemList) else 0
    if recipe.grading.benchmark:
        load_recipe_benchmark(recipe)
    heldout = load_problems(recipe.problems.heldout, limit=recipe.problems.heldout_limit or None, strict=strict)
    source = "instructions.source" if recipe.instructions.source else "problems.train"
    noun = "instruction" if recipe.instructions.source else "training problem"
    _refuse_shared("held-out", heldout, "training", train, f"{source} and problems.heldout")
    validation: Sequence[Problem] = ()
    if recipe.validation.problems:
        validation = load_problems(recipe.validation.problems, limit=recipe.validation.limit or None, strict=strict)
        _refuse_shared("validation", validation, "training", train, f"{source} and validation.problems")
        _refuse_shared("validation", validation, "held-out", heldout, "problems.heldout and validation.problems")
        if not all(problem.tests for problem in validation):
            raise UserError(f"{recipe.validation.problems}: every validation problem needs tests")
    sources = {"problems.train": train, "problems.heldout": heldout, "validation.problems": validation}
    left_out = {key: rows for key, problems in sources.items() if (rows := left_out_of(problems)).rows}
    contaminated: Sequence[Overlap] = ()
    if recipe.problems.contamination == "drop":
        contaminated = overlaps(map(problem_text, train), heldout)
        names = {one.name for one in contaminated}
        train = [problem for problem in train if problem.task_id not in names]
        tasks = [task for task in tasks if task.task_id not in names]
        if contaminated and not train:
            raise UserError(
                f"{source}: every {noun} contains a held-out problem. Set {source} to another source, or set "
                "problems.contamination = 'keep'"
            )
    if not any(problem.tests for problem in heldout):
        raise UserError(f"{recipe.problems.heldout}: no held-out problem has tests, so the scores cannot be computed")
    check_requirements(recipe.training)
    if not recipe.model.path.startswith("scripted:"):
        # supervised fine-tuning writes a merged model, so preference training never starts from its adapter
        if recipe.sft.data:
            check_trainable(recipe.model.path, recipe.sft.training(), "sft")
        else:
            check_trainable(recipe.model.path, recipe.training)
    return Work(
        run,
        recipe,
        train,
        heldout,
        progress_for,
        unconfined,
        tasks,
        contaminated,
        validation,
        left_out,
        not_chosen,
        servers=servers if recipe.engine.launches else None,
        log=log,
    )


def content(messages: Iterable[Message]) -> str:
    """Return the texts of messages, joined by line breaks."""
    return "\n".join(message["content"] for message in messages)


def _refuse_shared(
    name: str, problems: Sequence[Problem], other_name: str, others: Sequence[Problem], keys: str
) -> None:
    known = {mark for problem in others for mark in _marks(problem)}
    shared = [problem.task_id for problem in problems if _marks(problem) & known]
    if shared:
        raise UserError(
            f"{len(shared)} {name} problems are also {other_name} problems (such as {', '.join(shared[:3])}), which "
            f"would bias the scores. Choose {keys} without shared problems."
        )


def _marks(problem: Problem) -> set[str]:
    """Return marks by which two forms of one problem are recognised: the prompt's words, and the id in a benchmark."""
    marks = {" ".join(problem.prompt.split())}
    return marks | {problem.task_id} if BENCHMARK_ID.match(problem.task_id) else marks


def _facts(problem: Problem) -> list[Any]:
    return [problem.task_id, problem.prompt, problem.entry_point, [(t.kind, t.source) for t in problem.tests]]
