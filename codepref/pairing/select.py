"""Selects pairs with any pairing rule, from verdicts or from judgments."""

from __future__ import annotations

from collections.abc import Iterable

from codepref.config.templates import REPAIR_TEMPLATE, SOLUTION_TEMPLATE
from codepref.errors import UserError
from codepref.execution.speed import Speeds
from codepref.pairing.pair import PairSet, pair
from codepref.pairing.pair_rated import pair_rated
from codepref.pairing.repair import Repair, check_repair
from codepref.pairing.rules import load_rule
from codepref.records import Judgment, Problem, VerdictMatrix


def select_pairs(
    problems: Iterable[Problem],
    *,
    rule: str,
    verdicts: Iterable[VerdictMatrix] | None = None,
    judgments: Iterable[Judgment] | None = None,
    margin: float = 1,
    correctness_pairs: bool = False,
    max_pairs_per_problem: int = 4,
    draws: int = 1,
    min_confidence: float = 0.0,
    max_share: float = 1.0,
    max_length_ratio: float = 0.0,
    max_edit_share: float = 1.0,
    speeds: Speeds | None = None,
    speed_factor: float = 2.0,
    min_cpu_ms: float = 5.0,
    repair: Repair = "none",
    repair_template: str = REPAIR_TEMPLATE,
    balance_length: bool = False,
    max_easy_share: float = 1.0,
    template: str = SOLUTION_TEMPLATE,
    fence: bool = True,
    allow_shared: bool = False,
    seed: int = 0,
) -> PairSet:
    """Select pairs with any rule of `codepref.pairing.rules.RULES`.

    For a rule that reads ratings, this calls `codepref.pairing.pair_rated.pair_rated` with `judgments` and `verdicts`.
    It does not use `draws`, `fence`, `max_edit_share`, `speeds`, `speed_factor` and `min_cpu_ms`, and `repair` must be
    "none". For any other rule, this calls `codepref.pairing.pair.pair` with `verdicts`, and does not use `margin`.
    These two functions describe the options.
    Raises UserError in the cases of `check_input` and of the function that is called.
    """
    check_input(rule, verdicts, judgments)
    if judgments is not None:
        check_repair(repair, repair_template, rule, ratings=True)
        return pair_rated(
            judgments,
            verdicts,
            problems,
            rule=rule,
            margin=margin,
            correctness_pairs=correctness_pairs,
            max_pairs_per_problem=max_pairs_per_problem,
            min_confidence=min_confidence,
            max_share=max_share,
            max_length_ratio=max_length_ratio,
            balance_length=balance_length,
            max_easy_share=max_easy_share,
            template=template,
            allow_shared=allow_shared,
            seed=seed,
        )
    return pair(
        verdicts or (),
        problems,
        rule=rule,
        max_pairs_per_problem=max_pairs_per_problem,
        draws=draws,
        min_confidence=min_confidence,
        max_share=max_share,
        max_length_ratio=max_length_ratio,
        max_edit_share=max_edit_share,
        speeds=speeds,
        speed_factor=speed_factor,
        min_cpu_ms=min_cpu_ms,
        correctness_pairs=correctness_pairs,
        repair=repair,
        repair_template=repair_template,
        balance_length=balance_length,
        max_easy_share=max_easy_share,
        template=template,
        fence=fence,
        allow_shared=allow_shared,
        seed=seed,
    )


def check_input(rule: str, verdicts: object, judgments: object) -> None:
    """Check that a rule gets the input that it reads. verdicts, judgments: None if they are not given.

    Raises UserError for a rule that is unknown or cannot be loaded. Raises UserError also if a rule that reads ratings
    gets no judgments, and if any other rule gets judgments or no verdicts.
    """
    ratings = load_rule(rule).ratings
    if ratings and judgments is None:
        raise UserError(f"rule {rule!r} chooses by ratings. Give judgments, such as a file that `codepref judge` wrote")
    if not ratings and judgments is not None:
        raise UserError(
            f"rule {rule!r} does not read ratings. Leave out the judgments, or choose a rule such as `rated`"
        )
    if not ratings and verdicts is None:
        raise UserError(
            f"rule {rule!r} needs verdicts, such as a folder that `codepref execute` wrote. To choose by ratings, give "
            "judgments and a rule such as `rated`"
        )
