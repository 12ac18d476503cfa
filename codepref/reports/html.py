"""report.html: one self-contained page that says what a run did and whether it helped. It fetches nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.reports import examples, sections
from codepref.reports.wording import cautions, headline
from codepref.runs.files import read_json, read_parquet, write_text

FILE = "report.html"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def write_report(run_dir: Path) -> Path:
    """Write `run_dir`/report.html from summary.json and, where there is one, pairs.parquet. Returns its path.

    Whatever the run has not reached yet is left out of the page.

    Raises:
        UserError: no summary.json in `run_dir`, or a file that is malformed.
        MachineError: the page cannot be written.
    """
    run_dir = Path(run_dir)
    path = run_dir / "summary.json"
    if not path.exists():
        raise UserError(f"{run_dir}: holds no summary.json, so there is nothing to report; finish the run first")
    summary = read_json(path)
    if not isinstance(summary, dict):
        raise UserError(f"{path}: a JSON object is needed, not {type(summary).__name__}")
    pairs = run_dir / "pairs.parquet"
    rows = read_parquet(pairs, ("task_id", "chosen", "rejected")) if pairs.exists() else []
    page = render(summary, rows)
    write_text(run_dir / FILE, page)
    return run_dir / FILE


def render(summary: Mapping[str, Any], pair_rows: list[dict[str, Any]]) -> str:
    """The page as text. All text of models and users is escaped, and what cannot be printed is replaced by �."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # markup that this package made itself; everything else is escaped by the template
    environment.filters["markup"] = Markup
    page = environment.get_template("report.html.j2").render(context(summary, pair_rows))
    return _UNPRINTABLE.sub("\ufffd", page)


def context(summary: Mapping[str, Any], pair_rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything that the template shows."""
    return {
        "title": str(summary.get("recipe") or "run"),
        "summary": summary,
        "headline": headline(summary),
        "cautions": cautions(summary),
        "scores": sections.scores(summary),
        "tiles": sections.tiles(summary),
        "funnel": sections.funnel(summary),
        "dropped": sections.dropped(summary),
        "verdicts": sections.verdicts(summary),
        "pairs": sections.pairs(summary),
        "training": sections.training(summary),
        "examples": [examples.example(row) for row in examples.choose(pair_rows)],
        "pair_rows": len(pair_rows),
        "verdict_names": sections.VERDICT_NAMES,
        "stages": sections.stages(summary),
        "recipe": sections.recipe(summary),
        "provenance": sections.provenance(summary),
        "code_css": examples.highlight_css() if pair_rows else "",
    }
