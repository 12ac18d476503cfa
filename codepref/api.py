"""What the commands do, for notebooks and scripts: paths, records or `datasets` in; records out.

`import codepref` offers these by name: codepref.execute, execute_into, pair, train, evaluate, compare, audit, sample,
run, demo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.config.fields import checked, nearest
from codepref.config.sections import EvaluationSection, OnlineSection, TrainingSection, ValidationSection
from codepref.errors import UserError
from codepref.execution.limits import SCORING_LIMITS, Limits
from codepref.problems.statements import STATEMENTS, read_statements
from codepref.records import Judgment, Pair, Problem, Solution, Test, VerdictMatrix
from codepref.storage.files import check_target
from codepref.training.checks import ONLINE

if TYPE_CHECKING:
    from codepref.evaluation.audit import Audit
    from codepref.evaluation.comparison import Comparison
    from codepref.evaluation.scores import Scores
    from codepref.pairing.pair import PairSet
    from codepref.sampling.engines import Engine
    from codepref.training.trainer import TrainingResult

Progress = Callable[[int, int], None]
Problems = str | Path | Sequence[Problem]
Solutions = str | Path | Iterable[Solution] | Iterable[Mapping[str, Any]]
Tests = str | Path | Mapping[str, Sequence[Test]]
Verdicts = str | Path | Sequence[VerdictMatrix]
Pairs = Any
"""A path, a list of Pair, a PairSet, or rows with prompt, chosen and rejected (a `datasets.Dataset`)."""


def load_problems(source: Problems, *, limit: int | None = None) -> list[Problem]:
    """Problems from a file, a hub name, `starter:SPLIT`, records, or rows of a known format (a `datasets.Dataset`).

    See `codepref.problems.load.load_problems` for formats and errors.
    """
    if isinstance(source, str | Path):
        from codepref.problems.load import load_problems as load

        return load(source, limit=limit)
    given: list[Any] = list(source)[:limit]
    if all(isinstance(item, Problem) for item in given):
        return given
    from codepref.problems.load import problems_from_rows

    return problems_from_rows(given)


def sample(
    problems: Problems,
    model: str | Engine,
    *,
    kind: str = "solutions",
    n: int = 10,
    temperature: float = 0.8,
    top_p: float = 0.95,
    max_new_tokens: int = 512,
    template: str | None = None,
    batch_size: int = 128,
    seed: int = 0,
    out: str | Path | None = None,
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Ask a model for `n` solutions or tests a problem; see `codepref.sampling.sample.sample` for rows and errors."""
    from codepref.sampling.engines import Decoding
    from codepref.sampling.sample import sample as work

    return work(
        load_problems(problems),
        model,
        kind=kind,
        n=n,
        decoding=Decoding(temperature, top_p, max_new_tokens),
        template=_template(template, model, kind),
        seed=seed,
        batch_size=batch_size,
        out=Path(out) if out else None,
        dtype=dtype,
        device=device,
        progress=progress,
    )


def execute(
    problems: Problems,
    solutions: Solutions,
    tests: Tests | None = None,
    *,
    out: str | Path | None = None,
    limits: Limits | None = None,
    jobs: int | None = None,
    tests_per_completion: int = 5,
    probes: int = 0,
    unconfined: bool = False,
    progress: Progress | None = None,
) -> list[VerdictMatrix]:
    """Run solutions against tests in the sandbox; `execute_into` does the same for more than memory holds.

    solutions: a file of lines {"task_id", "completion"} or {"task_id", "solution"}, EvalPlus's folder of programs or
    file of results, Solution records, or rows of those columns. tests: None takes the problems' own; else a file of
    lines {"task_id", "test"} or {"task_id", "completion"}, or task_id -> Test records. probes: about so many calls a
    problem are varied from the tests, for rules that look at answers (`agreement`). With `out`, verdicts.parquet,
    tests.parquet, summary.json and the problems' statements are written there, and an interrupted call goes on from
    what is there. Returns one matrix a task that has solutions. Raises UserError for wrong input, MachineError where
    the sandbox cannot be had. See docs/sandbox.md for what is promised.
    """
    from codepref.execution.execute import execute as work

    loaded = load_problems(problems)
    if out:
        check_target(Path(out) / STATEMENTS)
    return work(
        loaded,
        _solutions(solutions, loaded),
        _tests(tests, loaded, tests_per_completion, probes),
        out=out or None,
        limits=limits,
        jobs=jobs,
        unconfined=unconfined,
        progress=progress,
    )


def execute_into(
    problems: Problems,
    solutions: Solutions,
    tests: Tests | None = None,
    *,
    out: str | Path,
    limits: Limits | None = None,
    jobs: int | None = None,
    tests_per_completion: int = 5,
    probes: int = 0,
    unconfined: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """As `execute` with `out`, in memory that does not grow with the solutions: a summary in place of matrices.

    Solutions are read once, a few at a time, and may be a generator. Returns what `out`/summary.json holds; the
    verdicts are in `out`/verdicts.parquet, see `codepref.execution.reading.iter_verdicts`. Raises as `execute`.
    """
    from codepref.execution.execute import execute_into as work

    loaded = load_problems(problems)
    check_target(Path(out) / STATEMENTS)
    return work(
        loaded,
        _solutions(solutions, loaded),
        _tests(tests, loaded, tests_per_completion, probes),
        out=out,
        limits=limits,
        jobs=jobs,
        unconfined=unconfined,
        progress=progress,
    )


def _solutions(solutions: Solutions, problems: Sequence[Problem]) -> Iterator[Solution]:
    """The solutions one by one; what they come from is read no further ahead."""
    from codepref.sampling.answers import iter_solutions, iter_solutions_from_rows

    if isinstance(solutions, str | Path):
        return iter_solutions(Path(solutions), problems)
    given: Iterator[Any] = iter(solutions)
    first = list(islice(given, 1))
    kind = Solution if first and isinstance(first[0], Solution) else Mapping
    items = (_of_kind(item, kind) for item in chain(first, given))
    return items if kind is Solution else iter_solutions_from_rows(items, problems)


def _of_kind(item: Any, kind: type) -> Any:
    if not isinstance(item, kind):
        raise UserError("solutions must be a file, Solution records, or rows with task_id and completion or solution")
    return item


def _tests(
    tests: Tests | None, problems: Sequence[Problem], per_completion: int, probes: int
) -> Mapping[str, Sequence[Test]] | None:
    from codepref.sampling.answers import load_tests
    from codepref.sampling.probes import with_probes

    if probes < 0:
        raise UserError(f"probes must be at least 0, not {probes}")
    if isinstance(tests, str | Path):
        tests = load_tests(Path(tests), problems, per_completion=per_completion).tests
    if not probes:
        return tests
    return with_probes(problems, {p.task_id: p.tests for p in problems} if tests is None else tests, probes)


def pair(
    verdicts: Verdicts | None = None,
    problems: Problems | None = None,
    *,
    judgments: str | Path | Sequence[Judgment] | None = None,
    rule: str = "all-tests",
    margin: float = 1.0,
    correctness_pairs: bool = False,
    max_pairs_per_problem: int = 4,
    draws: int = 1,
    min_confidence: float = 0.0,
    max_share: float = 1.0,
    max_length_ratio: float = 0.0,
    template: str | None = None,
    fence: bool = True,
    allow_shared: bool = False,
    seed: int = 0,
    out: str | Path | None = None,
) -> PairSet:
    """Select preference pairs from verdicts; see `codepref.pairing.pair.pair` for the options.

    verdicts: a folder that `execute` wrote, or matrices. problems: where the prompts come from; not needed for a
    folder, which holds them. judgments: a file that `judge` wrote, a published data set or records, for the rules
    `rated` (verdicts are not needed) and `tests-then-rating` (joined with verdicts of the same responses); prompts are
    then the instructions, unless problems are given. margin, correctness_pairs: see
    `codepref.pairing.select.select_pairs`. With `out` the pairs are written there as Parquet that TRL's DPOTrainer
    takes.
    """
    from codepref.config.templates import SOLUTION_TEMPLATE
    from codepref.pairing.artifact import write_pairs
    from codepref.pairing.select import check_input, select_pairs

    check_input(rule, verdicts, judgments)
    rated = None if judgments is None else _judgments(judgments)
    if problems is not None:
        prompts = load_problems(problems)
    elif rated is not None:
        prompts = [Problem(one.task_id, one.instruction, "") for one in rated]
    else:
        prompts = _statements(verdicts or "")
    plain = rated is not None and problems is None
    pairs = select_pairs(
        prompts,
        rule=rule,
        verdicts=None if verdicts is None else _matrices(verdicts),
        judgments=rated,
        margin=margin,
        correctness_pairs=correctness_pairs,
        max_pairs_per_problem=max_pairs_per_problem,
        draws=draws,
        min_confidence=min_confidence,
        max_share=max_share,
        max_length_ratio=max_length_ratio,
        template=template or ("{prompt}" if plain else SOLUTION_TEMPLATE),
        fence=fence,
        allow_shared=allow_shared,
        seed=seed,
    )
    if out:
        write_pairs(Path(out), pairs.pairs)
    return pairs


def _statements(verdicts: Verdicts) -> list[Problem]:
    if not isinstance(verdicts, str | Path):
        raise UserError("matrices alone hold no prompts: give `problems` too")
    return read_statements(Path(verdicts))


def _judgments(judgments: str | Path | Sequence[Judgment]) -> Sequence[Judgment]:
    from codepref.judging.artifact import read_judgments

    return read_judgments(judgments) if isinstance(judgments, str | Path) else judgments


def audit(pairs: Pairs, verdicts: Verdicts | None = None, *, problems_total: int | None = None, seed: int = 0) -> Audit:
    """How right pairs are by verdicts of true tests of the same solutions, and what can be said without any; see
    `codepref.evaluation.audit`.
    """
    from codepref.evaluation.audit import audit_pairs

    true = None if verdicts is None else _matrices(verdicts)
    return audit_pairs(_pairs(pairs), true, problems_total=problems_total, seed=seed)


def train(
    pairs: Pairs | None,
    model: str,
    out: str | Path,
    *,
    verdicts: Verdicts | None = None,
    data: str | Path | Iterable[Mapping[str, Any]] | None = None,
    settings: TrainingSection | None = None,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
    progress: Progress | None = None,
    validation: Problems | None = None,
    watch: ValidationSection | None = None,
    problems: Problems | None = None,
    online: OnlineSection | None = None,
    unconfined: bool = False,
    **overrides: Any,
) -> TrainingResult:
    """Train a model and write it to `out`, whole or not at all.

    Give one of four. pairs: a Parquet or JSON lines file, Pair records, a PairSet or a `datasets.Dataset`; for every
    method (kto takes both sides as single answers, sft the chosen ones). verdicts: a folder that `execute` wrote; rft
    and sft learn from the solutions that passed all tests, kto from the others too. data: demonstrations for sft, a
    file, a hub name or rows with an instruction and an answer (`codepref.training.demonstrations`). problems: with
    tests, for grpo and rloo, which sample while they train, by `online`'s settings.
    validation: problems with tests that the model answers while it trains, by `watch`'s settings; the weights that did
    best there are kept (docs/training.md). overrides: any key of TrainingSection (method, beta, learning_rate, epochs,
    lora_rank, ...). See `codepref.training.dpo.train_dpo`, `codepref.training.kto.train_kto` and
    `codepref.training.sft.train_sft`.
    """
    from codepref.training.train import train_on

    known = set(TrainingSection.__dataclass_fields__)
    if unknown := sorted(set(overrides) - known):
        raise UserError(*(f"unknown training setting `{name}`{nearest(name, known)}" for name in unknown))
    if told := sorted({"rounds", "round_start"} & overrides.keys()):
        raise UserError(f"{' and '.join(told)}: rounds are a run's (`codepref.run`); this trains once")
    chosen = checked(replace(settings or TrainingSection(), **overrides), "training")
    if chosen.method in ONLINE and (problems is None or any(one is not None for one in (pairs, verdicts, data))):
        raise UserError(f"method {chosen.method} samples as it trains: give it problems with tests, and nothing else")
    if chosen.method not in ONLINE and problems is not None:
        raise UserError(f"method {chosen.method} learns from pairs, verdicts or data, not from problems")
    probing = None if validation is None else _probing(validation, model, watch or ValidationSection(), unconfined)
    how = {"seed": seed, "dtype": dtype, "device": device, "progress": progress, "watch": probing}
    if problems is not None:
        from codepref.models import model_templates
        from codepref.training.online import train_online

        template = model_templates(model).get("solutions")
        more = {"template": template, "unconfined": unconfined, **how}
        return train_online(load_problems(problems), model, Path(out), chosen, online, **more)  # type: ignore[arg-type]
    given = _to_learn(pairs, verdicts, data, chosen, seed)
    return train_on(given, model, Path(out), chosen, **how)  # type: ignore[arg-type]


def _probing(validation: Problems, model: str, watch: ValidationSection, unconfined: bool) -> Any:
    from codepref.models import model_templates
    from codepref.sampling.engines import Decoding
    from codepref.training.validation_callback import Probing

    problems = load_problems(validation, limit=watch.limit or None)
    if not problems or not all(problem.tests for problem in problems):
        raise UserError("validation problems need true tests: the answers to them are run while the model trains")
    sampled = EvaluationSection()
    return Probing(
        problems,
        Decoding(sampled.temperature, sampled.top_p, sampled.max_new_tokens),
        samples=watch.samples,
        every=watch.every,
        patience=watch.patience,
        template=model_templates(model).get("solutions"),
        unconfined=unconfined,
    )


def _to_learn(pairs: Any, verdicts: Any, data: Any, settings: TrainingSection, seed: int) -> Any:
    """Pairs or single answers. Raises UserError for sources that the method cannot learn from."""
    from codepref.problems.load import read_rows
    from codepref.training.demonstrations import examples_from_rows
    from codepref.training.kto_rows import examples_from_verdicts

    method = settings.method
    if sum(source is not None for source in (pairs, verdicts, data)) != 1:
        raise UserError("give one of pairs, verdicts and data to train on")
    if data is not None and method != "sft":
        raise UserError(f"demonstrations (data) are for method sft, not {method}")
    if method == "rft" and verdicts is None:
        raise UserError("method rft learns from samples that pass: give the verdicts of the samples")
    if verdicts is not None and method == "dpo":
        raise UserError("method dpo needs pairs: make them from the verdicts with `codepref pair`")
    if data is not None:
        named = isinstance(data, str | Path)
        rows = read_rows(str(data)) if named else ((f"row {place}", row) for place, row in enumerate(data))
        return examples_from_rows(rows)
    if verdicts is not None:
        if not isinstance(verdicts, str | Path):
            raise UserError("verdicts to train on must be a folder that `execute` wrote: it holds the prompts too")
        return examples_from_verdicts(_matrices(verdicts), read_statements(Path(verdicts)), seed=seed)
    return _pairs(pairs)


def evaluate(
    problems: Problems | None = None,
    *,
    model: str | Engine | None = None,
    solutions: Solutions | None = None,
    verdicts: Verdicts | None = None,
    samples: int = 10,
    k: Sequence[int] = (1, 10),
    temperature: float = EvaluationSection.temperature,
    top_p: float = EvaluationSection.top_p,
    max_new_tokens: int = EvaluationSection.max_new_tokens,
    template: str | None = None,
    batch_size: int = 128,
    limits: Limits | None = None,
    jobs: int | None = None,
    unconfined: bool = False,
    seed: int = 0,
    label: str = "",
    out: str | Path | None = None,
    dtype: str = "auto",
    device: str = "auto",
    progress_for: Callable[[str], Progress] | None = None,
    evalplus: str | Path | None = None,
) -> Scores:
    """pass@k of a model, of solutions, or of verdicts, by the problems' own tests.

    Give one of `model` (one greedy and `samples` sampled answers a problem are drawn), `solutions` (as `execute`
    takes them) and `verdicts`. Returns Scores; with `out`, scores.json is written there, for `compare`. evalplus: a
    file for the verdicts on solutions as EvalPlus writes them; see `codepref.evaluation.eval_results`.
    """
    from codepref.evaluation.eval_results import write_eval_results
    from codepref.evaluation.evaluate import evaluate_model, evaluate_verdicts
    from codepref.sampling.engines import Decoding

    if sum(given is not None for given in (model, solutions, verdicts)) != 1:
        raise UserError("give one of model, solutions and verdicts")
    if verdicts is None and problems is None:
        raise UserError("problems are needed to evaluate a model or solutions (--problems)")
    _check_figures(k, samples, of_model=model is not None, evalplus=evalplus)
    folder = Path(out) if out else None
    matrices = None if verdicts is None else _matrices(verdicts)
    if solutions is not None:
        progress = progress_for("verdicts") if progress_for else None
        inner = folder / "verdicts" if folder else None
        matrices = execute(
            problems or (),
            solutions,
            out=inner,
            limits=limits or SCORING_LIMITS,
            jobs=jobs,
            unconfined=unconfined,
            progress=progress,
        )
    if matrices is not None:
        if evalplus is not None:
            source = Path(problems) if isinstance(problems, str | Path) else None
            write_eval_results(Path(evalplus), matrices, source)
        return evaluate_verdicts(matrices, ks=k, seed=seed, label=label, out=folder)
    assert model is not None
    assert problems is not None
    return evaluate_model(
        load_problems(problems),
        model,
        samples=samples,
        decoding=Decoding(temperature, top_p, max_new_tokens),
        ks=k,
        template=_template(template, model, "solutions"),
        batch_size=batch_size,
        seed=seed,
        limits=limits,
        jobs=jobs,
        unconfined=unconfined,
        label=label,
        out=folder,
        dtype=dtype,
        device=device,
        progress_for=progress_for,
    )


def _check_figures(k: Sequence[int], samples: int, *, of_model: bool, evalplus: str | Path | None) -> None:
    """Raise UserError, before anything is drawn or run, for figures that could not be told at the end."""
    if below := [one for one in k if one < 1]:
        raise UserError(f"pass@{below[0]}: k must be at least 1")
    if of_model and samples < 1:
        raise UserError(f"samples must be at least 1, not {samples}")
    if evalplus is not None:
        check_target(Path(evalplus))
        if of_model:
            raise UserError(
                "EvalPlus's results are written of solutions or verdicts: draw the samples first, "
                "with `codepref sample`"
            )


def compare(a: Scores | str | Path, b: Scores | str | Path, *, seed: int = 0) -> list[Comparison]:
    """Paired differences b - a of two score files (or Scores) of the same problems, with intervals and p-values."""
    from codepref.evaluation.scores import compare as work

    return work(a, b, seed=seed)


def _template(template: str | None, model: Any, kind: str) -> str | None:
    """A model that understands certain words only, as the starter does, brings them; others get the default ones."""
    if template is None and isinstance(model, str) and not model.startswith("scripted:"):
        from codepref.models import model_templates

        return model_templates(model).get(kind)
    return template


def _matrices(verdicts: Verdicts) -> Sequence[VerdictMatrix]:
    if isinstance(verdicts, str | Path):
        from codepref.execution.execute import read_verdicts

        return read_verdicts(Path(verdicts))
    return verdicts


def _pairs(pairs: Pairs) -> list[Pair]:
    from codepref.pairing.artifact import pairs_from_rows, read_pairs
    from codepref.pairing.pair import PairSet

    if isinstance(pairs, str | Path):
        return read_pairs(Path(pairs))
    if isinstance(pairs, PairSet):
        return pairs.pairs
    given = list(pairs)
    return given if all(isinstance(item, Pair) for item in given) else pairs_from_rows(given)
