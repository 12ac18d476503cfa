"""Formats the results of `python -m benchmarks.real_model` as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.common.markdown import grid
from benchmarks.real_model.claims import claim_lines, question_lines, shown
from benchmarks.real_model.figures import BOTH, GREEDY, SAMPLED, Figures
from benchmarks.real_model.settings import BASE, BASELINE, ROWS, SETS
from codepref.records import Score


def table(document: Mapping[str, Any]) -> str:
    """Return the Markdown document of the results."""
    figures = Figures.of(document)
    machine, sizes, problems = document["machine"], document["sizes"], document["problems"]
    lines = [
        f"# {document['model']}: what each training gains on held-out problems",
        "",
        f"`{document['command']}` on {machine['cores']} cores ({machine['cpu']}). {document['date']}.",
        f"{problems['train']} problems of MBPP+ are for training, and {problems['validation']} for validation. "
        f"{problems['MBPP+']} of MBPP+ and {problems['HumanEval+']} of HumanEval+ are held out. "
        f"Problems that contain a held-out problem and are not used: {len(problems['contaminated'])}. All rows of a "
        f"seed share {sizes['solutions']} solutions of each training problem. Answers have at most "
        f"{sizes['max_new_tokens']} tokens and were written by {document['engine']}.",
        "",
        "Figures are in percent, with 95% intervals over problems. Differences are in percentage points and paired by "
        "problem. The counts of a problem are summed over the seeds of a row, and two rows are compared on the seeds "
        f"that both have. `{BASELINE}` is SFT on the chosen answers of the pairs.",
        "",
    ]
    for held in (BOTH, *SETS):
        lines += [f"## {held[0].upper()}{held[1:]}", "", *score_lines(figures, held)]
    lines += ["## Claims", ""]
    lines += [
        "A claim is supported if the 95% interval of the difference lies above 0, contradicted if it lies below 0, and "
        "open otherwise. The claims were made about much larger models.",
        "",
        *claim_lines(figures),
        *question_lines(figures),
        "",
        "## Costs",
        "",
        "`written`: tokens that models wrote for the row to learn from, which other rows may share. `read`: tokens of "
        "the training. CPU minutes: of these answers with their execution, of the training with its validation, and of "
        "the scores. `right`: the share of pairs whose chosen answer passes the true tests and whose rejected answer "
        "fails. `kept`: the step whose weights validation kept, and the number of steps.",
        "",
        *cost_lines(document),
    ]
    if document["failed"]:
        head = ["row", "seed", "step", "reason"]
        lines += ["## Failed", "", *grid(head, ([one[name] for name in head] for one in document["failed"]))]
    return "\n".join(lines)


def score_lines(figures: Figures, held: str) -> list[str]:
    """Return the lines of the table of one held-out set, with a line for each measured row."""
    cells = []
    for name, row in ROWS.items():
        if not figures.seeds(name):
            continue
        values = [_score(figures.score(name, figure, held)) for figure in (GREEDY, SAMPLED)]
        differences = [
            "" if name == against else shown(figures.comparison(against, name, figure, held))
            for against in (BASE, BASELINE)
            for figure in (GREEDY, SAMPLED)
        ]
        seeds = ", ".join(f"{100 * one:+.1f}" for one in figures.by_seed(BASELINE, name, SAMPLED, held))
        own = "" if name == BASELINE else seeds
        cells.append([name, row.text, len(figures.seeds(name)), *values, *differences, own])
    head = ["row", "learns from", "seeds", "greedy pass@1", "sampled pass@1"]
    head += [f"{figure} − {against}" for against in (BASE, BASELINE) for figure in ("greedy", "sampled")]
    return grid([*head, f"sampled − {BASELINE}, by seed"], cells)


def cost_lines(document: Mapping[str, Any]) -> list[str]:
    """Return the lines of the table of costs, with a line for each row and seed."""
    cells = []
    for row in document["rows"]:
        right = "–" if row.get("share_right") is None else f"{100 * row['share_right']:.0f}%"
        minutes = [f"{row['seconds'][part]['cpu_seconds'] / 60:.0f}" for part in ("answers", "training", "scores")]
        trained = "steps" in row
        kept = f"{row['kept_step']} of {row['steps']}" if trained else "–"
        numbers = [row.get("pairs", "–"), right, f"{row['tokens_written']:,}", f"{row.get('tokens_read', 0):,}"]
        cells.append([row["row"], row["seed"], *numbers, kept, *minutes])
    head = ["row", "seed", "pairs or answers", "right", "written", "read", "kept"]
    return grid([*head, "answers, min", "training, min", "scores, min"], cells)


def _score(score: Score | None) -> str:
    return "–" if score is None else f"{100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"
