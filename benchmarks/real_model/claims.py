"""What the figures say about claims of three papers, and about this project's own questions. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.common.markdown import grid, points
from benchmarks.real_model.figures import BOTH, SAMPLED, Figures
from benchmarks.real_model.settings import BASE, BASELINE, ROWS
from codepref.evaluation.comparison import Comparison


@dataclass(frozen=True)
class Claim:
    """A claim that `row` is better than `against`. held: the held-out set on which it is judged, or `both sets`."""

    paper: str
    text: str
    row: str
    against: str
    held: str = BOTH


DPO_PAPER, DSTC_PAPER, JUDGE_PAPER = "arXiv 2410.18585", "DSTC, arXiv 2411.13611", "CodeUltraFeedback, arXiv 2403.09032"
CLAIMS = (
    Claim(DPO_PAPER, "DPO on pairs by the results of tests makes a code model better", "dpo", BASE),
    Claim(DPO_PAPER, "the same, with the likelihood of the chosen answers in the loss", "dpo-likelihood", BASE),
    Claim(DSTC_PAPER, "DPO on pairs from the model's own code and tests makes it better", "dstc-dpo", BASE),
    Claim(DSTC_PAPER, "KTO on answers from the model's own code and tests makes it better", "dstc-kto", BASE),
    Claim(JUDGE_PAPER, "SFT on given answers makes HumanEval+ better", "sft-gold", BASE, "HumanEval+"),
    Claim(JUDGE_PAPER, "SFT makes HumanEval+ better than DPO does", "sft-gold", "dpo", "HumanEval+"),
)
"""The claims that the rows can examine. Claims on PPO, on judges and on a pool of models need other runs."""
SHARE = 0.8
"""The share of the gain of pairs by true tests that pairs by agreement should reach."""


def verdict(comparison: Comparison | None) -> str:
    """Return whether the 95% interval supports the claim that the difference is above 0.

    The result is `supported`, `contradicted`, `open`, or `not measured` without a comparison.
    """
    if comparison is None:
        return "not measured"
    if comparison.low > 0:
        return "supported"
    return "contradicted" if comparison.high < 0 else "open"


def shown(comparison: Comparison | None) -> str:
    """Return the difference and its interval in percentage points, or a dash for None."""
    if comparison is None:
        return "–"
    return points({"difference": comparison.difference, "low": comparison.low, "high": comparison.high})


def claim_lines(figures: Figures) -> list[str]:
    """Return the lines of the table of the claims."""
    cells = []
    for claim in CLAIMS:
        compared = figures.comparison(claim.against, claim.row, SAMPLED, claim.held)
        rows = f"{claim.row} − {claim.against}, {claim.held}"
        cells.append([claim.paper, claim.text, rows, shown(compared), verdict(compared)])
    return grid(["paper", "claim", "rows and problems", "sampled pass@1", "verdict"], cells)


def question_lines(figures: Figures) -> Iterator[str]:
    """Yield lines on two questions: which rows beat the baseline, and how much pairs without true tests gain."""
    preferences = [name for name, row in ROWS.items() if row.data in ("pairs", "answers")]
    compared = {
        name: found for name in preferences if (found := figures.comparison(BASELINE, name, SAMPLED)) is not None
    }
    for state, text in (("supported", "better than"), ("contradicted", "worse than"), ("open", "not settled against")):
        names = [
            f"{name} ({shown(one)}, seeds: {len(figures.seeds(BASELINE, name))})"
            for name, one in compared.items()
            if verdict(one) == state
        ]
        yield f"- {text} `{BASELINE}`, sampled pass@1 on both sets: {', '.join(names) or 'none'}."
    gains = [figures.comparison(BASE, name, SAMPLED) for name in ("agreement-dpo", "dpo-likelihood")]
    if all(gains):
        own, true = (one.difference for one in gains if one)
        share = f"{own / true:.2f}" if true > 0 else "no share, since true tests gain nothing"
        yield (
            f"- `agreement-dpo` gains {100 * own:+.1f} points over the base model and `dpo-likelihood` "
            f"{100 * true:+.1f}: {share}. The aim is {SHARE}."
        )
