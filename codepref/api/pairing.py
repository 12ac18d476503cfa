"""`codepref.pair` selects preference pairs from verdicts and ratings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codepref.api.inputs import Problems, Verdicts, load_problems, read_matrices, read_prompts, read_ratings
from codepref.records import Judgment, Problem

if TYPE_CHECKING:
    from codepref.execution.speed import Speeds
    from codepref.pairing.pair import PairSet
    from codepref.pairing.repair import Repair


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
    max_edit_share: float = 1.0,
    speeds: str | Path | Speeds | None = None,
    speed_factor: float = 2.0,
    min_cpu_ms: float = 5.0,
    repair: Repair = "none",
    repair_template: str | None = None,
    balance_length: bool = False,
    max_easy_share: float = 1.0,
    template: str | None = None,
    fence: bool = True,
    allow_shared: bool = False,
    strict: bool = False,
    seed: int = 0,
    out: str | Path | None = None,
) -> PairSet:
    """Select preference pairs from verdicts or ratings.

    verdicts: a folder that `execute` wrote, or matrices. Most rules read only verdicts.
    judgments: a file that `judge` wrote, a published data set, or records. The rule `rated` chooses by judgments alone.
    The rule `tests-then-rating` chooses by judgments and by verdicts of the same responses.
    problems: the source of the prompts. It may be None if judgments or a folder of verdicts are given: judgments hold
    the instructions, and the folder holds the problems' prompts. With judgments the prompts are the instructions,
    unless `problems` is given.
    speeds: a file that `speed` wrote, or its content, for the rule `speed`.
    strict: refuse a source of problems with a bad row, which is left out by default.
    out: a Parquet file for the pairs, with the columns that TRL's DPOTrainer takes.

    `codepref.pairing.pair.pair` and `codepref.pairing.pair_rated.pair_rated` explain the other arguments. Raises
    UserError if the rule does not take the given sources, if a source cannot be read, and what those two functions
    raise.
    """
    from codepref.config.templates import REPAIR_TEMPLATE, SOLUTION_TEMPLATE
    from codepref.execution.speed import read_speeds
    from codepref.pairing.artifact import write_pairs
    from codepref.pairing.select import check_input, select_pairs

    check_input(rule, verdicts, judgments)
    rated = None if judgments is None else read_ratings(judgments)
    if problems is not None:
        prompts = load_problems(problems, strict=strict)
    elif rated is not None:
        prompts = [Problem(one.task_id, one.instruction, "") for one in rated]
    else:
        assert verdicts is not None  # check_input has refused a call without both
        prompts = read_prompts(verdicts)
    plain = rated is not None and problems is None
    result = select_pairs(
        prompts,
        rule=rule,
        verdicts=None if verdicts is None else read_matrices(verdicts),
        judgments=rated,
        margin=margin,
        correctness_pairs=correctness_pairs,
        max_pairs_per_problem=max_pairs_per_problem,
        draws=draws,
        min_confidence=min_confidence,
        max_share=max_share,
        max_length_ratio=max_length_ratio,
        max_edit_share=max_edit_share,
        speeds=read_speeds(speeds) if isinstance(speeds, str | Path) else speeds,
        speed_factor=speed_factor,
        min_cpu_ms=min_cpu_ms,
        repair=repair,
        repair_template=repair_template or REPAIR_TEMPLATE,
        balance_length=balance_length,
        max_easy_share=max_easy_share,
        template=template or ("{prompt}" if plain else SOLUTION_TEMPLATE),
        fence=fence,
        allow_shared=allow_shared,
        seed=seed,
    )
    if out:
        write_pairs(Path(out), result.pairs)
    return result
