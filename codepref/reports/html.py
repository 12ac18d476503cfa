"""Writes report.html: one page on what a run did and whether the model got better. The page fetches no other file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.reports import examples, pair_section, score_section, sections, training_section
from codepref.reports.cautions import cautions
from codepref.reports.graded import graded
from codepref.reports.wording import headline, sentence_case, true_minus
from codepref.storage.files import read_json, read_parquet, write_text

TrueCodes = Mapping[tuple[str, int], str]
FILE = "report.html"
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def write_report(run_dir: Path) -> Path:
    """Write `run_dir`/report.html from summary.json, pairs.parquet and the audit's verdicts, and return its path.

    The page leaves out the sections that an unfinished run has no data for.

    Raises:
        UserError: no summary.json in `run_dir`, or a file that is malformed.
        MachineError: the page cannot be written.
    """
    run_dir = Path(run_dir)
    path = run_dir / "summary.json"
    if not path.exists():
        raise UserError(f"{run_dir}: holds no summary.json, so no report can be written; finish the run first")
    summary = read_json(path)
    if not isinstance(summary, dict):
        raise UserError(f"{path}: must hold a JSON object, not {type(summary).__name__}")
    pairs = run_dir / "pairs.parquet"
    rows = read_parquet(pairs, ("task_id", "chosen", "rejected")) if pairs.exists() else []
    shown = examples.choose(rows)
    page = render(summary, shown, pairs=len(rows), true_codes=_true_codes(run_dir, shown))
    write_text(run_dir / FILE, page)
    return run_dir / FILE


def _true_codes(run_dir: Path, rows: Sequence[Mapping[str, Any]]) -> TrueCodes:
    """Return the verdict codes of the true tests by (task_id, solution_id), for the problems of the pairs in `rows`.

    Returns {} if there are no pairs, or if `run_dir`/audit holds no verdicts, as in a run that selects pairs by
    true tests.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = run_dir / "audit" / "verdicts.parquet"
    if not rows or not path.exists():
        return {}
    tasks = sorted({str(row["task_id"]) for row in rows})
    columns = ["task_id", "solution_id", "verdicts"]
    try:  # filter while reading, since the file holds every solution of the run
        table = pq.read_table(path, columns=columns, filters=[("task_id", "in", tasks)])
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: cannot be read as a verdicts file ({error})") from None
    return {(row["task_id"], row["solution_id"]): row["verdicts"] for row in table.to_pylist()}


def render(
    summary: Mapping[str, Any],
    shown: Sequence[Mapping[str, Any]] = (),
    *,
    pairs: int = 0,
    true_codes: TrueCodes | None = None,
) -> str:
    """Return the page as text.

    shown: the rows of pairs.parquet to show. pairs: the number of all rows. true_codes: the verdict codes of the true
    tests by (task_id, solution_id). All text of models and users is escaped. ASCII control characters other than tab
    and newline are replaced by �, and so are surrogates.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # the template uses this filter only for markup that this package made, and escapes everything else
    environment.filters["markup"] = Markup
    environment.filters["minus"] = true_minus
    environment.filters["sentence_case"] = sentence_case
    page = environment.get_template("report.html.j2").render(
        context(summary)
        | {
            "examples": [examples.example(row, true_codes) for row in shown],
            "pair_rows": pairs,
            "code_css": examples.highlight_css() if shown else "",
        }
    )
    return UNPRINTABLE.sub("\ufffd", page)


def context(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template's variables that come from the summary."""
    return {
        "title": str(summary.get("recipe") or "run"),
        "summary": summary,
        "headline": headline(summary),
        "cautions": cautions(summary),
        "scores": score_section.scores(summary),
        "baseline": score_section.against_baseline(summary),
        "graded": graded(summary),
        "tiles": score_section.tiles(summary),
        "funnel": sections.funnel(summary),
        "choice": sections.choice(summary),
        "dropped": sections.dropped(summary),
        "verdicts": sections.verdicts(summary),
        "pairs": pair_section.pairs(summary),
        "training": training_section.training(summary),
        "verdict_names": sections.VERDICT_NAMES,
        "stages": sections.stages(summary),
        "recipe": sections.recipe(summary),
        "provenance": sections.provenance(summary),
    }
