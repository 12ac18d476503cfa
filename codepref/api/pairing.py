"""`codepref.pair`: verdicts and ratings become preference pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.api.inputs import Problems, Verdicts, load_problems, read_matrices, read_prompts, read_ratings
from codepref.errors import UserError
from codepref.records import Judgment, Problem

if TYPE_CHECKING:
    from codepref.pairing.pair import PairSet


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
    """Select preference pairs from verdicts or ratings; `codepref.pairing.pair.pair` explains the options.

    verdicts: a folder that `execute` wrote, or matrices. problems: the source of the prompts; a folder of verdicts
    holds its own, so it needs none. judgments: a file that `judge` wrote, a published data set, or records. The rule
    `rated` needs judgments alone; `tests-then-rating` joins them with verdicts of the same responses. The prompts are
    then the instructions, unless `problems` is given. margin, correctness_pairs: see
    `codepref.pairing.pair_rated.pair_rated`. out: a Parquet file for the pairs, as TRL's DPOTrainer reads them.
    Raises UserError where rule and sources do not fit.
    """
    from codepref.config.templates import SOLUTION_TEMPLATE
    from codepref.pairing.artifact import write_pairs
    from codepref.pairing.pair import pair as work
    from codepref.pairing.pair_rated import RATING_RULES, pair_rated

    common: dict[str, Any] = {
        "rule": rule,
        "max_pairs_per_problem": max_pairs_per_problem,
        "min_confidence": min_confidence,
        "max_share": max_share,
        "max_length_ratio": max_length_ratio,
        "allow_shared": allow_shared,
        "seed": seed,
    }
    if (judgments is not None) != (rule in RATING_RULES):
        source = "no judgments" if judgments is None else "judgments"
        raise UserError(f"rule {rule!r} and {source} do not fit: {' and '.join(RATING_RULES)} are the rules for ratings")
    if judgments is not None:
        rated = read_ratings(judgments)
        prompts = (
            [Problem(one.task_id, one.instruction, "") for one in rated] if problems is None else load_problems(problems)
        )
        shape = template or ("{prompt}" if problems is None else SOLUTION_TEMPLATE)
        matrices = None if verdicts is None else read_matrices(verdicts)
        common |= {"margin": margin, "correctness_pairs": correctness_pairs, "template": shape}
        result = pair_rated(rated, matrices, prompts, **common)
    else:
        if verdicts is None:
            raise UserError("give verdicts (a folder that `execute` wrote, or matrices) or judgments to pair")
        prompts = read_prompts(verdicts) if problems is None else load_problems(problems)
        shape = template or SOLUTION_TEMPLATE
        result = work(read_matrices(verdicts), prompts, draws=draws, template=shape, fence=fence, **common)
    if out:
        write_pairs(Path(out), result.pairs)
    return result
