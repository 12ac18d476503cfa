"""The page holds the figures of a run and fetches no other file. Unfinished runs have a page too."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from codepref.errors import UserError
from codepref.evaluation.precision import Judged, calibration_table, precision_by_share
from codepref.reports import write_report

ATTACK = "</pre></style><script>alert(1)</script><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """A parser that collects the page's tags, text, and attributes. It fails on tags that do not nest.

    The text includes that of <style>, and the attributes of tags that end in "/>" are left out.
    """

    VOID = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def write_run(folder: Path, summary: dict[str, Any], pairs: int = 12) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary))
    message = [{"role": "assistant", "content": f"def f():\n    return '{ATTACK}'"}]
    rows = [
        {
            "task_id": f"t/{i}",
            "prompt": [{"role": "user", "content": f"Write f. {ATTACK}"}],
            "chosen": message,
            "rejected": message,
            "rule": "dstc",
            "confidence": i / 12,
            "chosen_id": 0,
            "rejected_id": 1,
            "evidence": json.dumps(
                {"chosen_verdicts": "PPF", "rejected_verdicts": "FEI", "note": ATTACK + "\ud800\x00"}
            ),
        }
        for i in range(pairs)
    ]
    if rows:
        pq.write_table(pa.Table.from_pylist(rows), folder / "pairs.parquet")
    return folder


def read(folder: Path) -> tuple[str, Page]:
    path = write_report(folder)
    assert path == folder / "report.html"
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def test_the_page_holds_every_figure(tmp_path: Path, summary: dict[str, Any]) -> None:
    _, page = read(write_run(tmp_path, summary))
    for shown in (
        "The aligned model is better: sampled pass@1 rose by",
        "35.0 → 50.0",
        "412",
        "70.6%",
        "no assert found",
        "timeout",
        "Reward accuracy",
        "0.6931",
        "sign-flip permutation",
        "exact McNemar",
        "sample solutions",
        "41.2 s",
        "torch",
        "2.13.0",
        "a processor",
        "temperature",
        "10 of 12 pairs",
    ):
        assert shown in page.text, shown
    assert page.tags.count("details") == 10
    assert page.tags.count("svg") == 6


def test_the_page_fetches_nothing_and_runs_nothing(tmp_path: Path, summary: dict[str, Any]) -> None:
    summary["recipe"] = ATTACK
    summary["dropped"] = {ATTACK: {ATTACK: 1}}
    summary["scores"]["base"][0]["name"] = ATTACK
    text, page = read(write_run(tmp_path, summary))
    assert not {"script", "img", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "srcset")]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text


def test_unprintable_characters_are_replaced(tmp_path: Path, summary: dict[str, Any]) -> None:
    text, _ = read(write_run(tmp_path, summary))
    assert "\x00" not in text
    assert "\ufffd\ufffd" in text


@pytest.mark.parametrize(
    "missing",
    ["scores", "comparison", "pairs", "training", "verdicts", "funnel", "dropped", "stages", "seed", "versions"],
)
@pytest.mark.parametrize("how", ["absent", "null"])
def test_a_missing_part_of_the_summary_is_left_out(
    tmp_path: Path, summary: dict[str, Any], missing: str, how: str
) -> None:
    if how == "absent":
        del summary[missing]
    else:
        summary[missing] = None
    _, page = read(write_run(tmp_path, summary, pairs=0))
    assert "None" not in page.text
    assert "Example pairs" not in page.text


def test_a_run_without_figures_and_figures_that_are_no_numbers_give_a_page(
    tmp_path: Path, summary: dict[str, Any]
) -> None:
    _, page = read(write_run(tmp_path / "empty", {}, pairs=0))
    assert "No model has been scored yet" in page.text
    summary["training"]["curve"] = [{"step": 1, "loss": float("nan")}, {"step": 2, "loss": None}]
    summary["comparison"][1]["p_value"] = None
    summary["pairs"]["share_right"] = None
    summary["funnel"].append({"what": "nothing", "count": None})
    text, page = read(write_run(tmp_path / "broken", summary))
    assert not re.search(r"\b(nan|None|null)\b", text.partition("</style>")[2])
    assert "Loss" not in page.text


def test_precision_by_the_share_kept_and_calibration_are_shown(tmp_path: Path, summary: dict[str, Any]) -> None:
    # of 20 problems the 10 with the highest confidence are right, and the others are wrong
    judged = [Judged(f"t/{at}", 0.9 if at < 10 else 0.7, at < 10) for at in range(20)]
    summary["pairs"] |= {
        "kept": [asdict(row) for row in precision_by_share(judged)],
        "calibration": [asdict(row) for row in calibration_table(judged)],
        "calibration_error": 0.2,
    }
    text, page = read(write_run(tmp_path / "whole", summary))
    assert "if only the problems with the highest confidence are kept" in page.text
    assert "right at 50: 100" in text
    assert "right at 100: 50" in text
    assert 'class="band ink"' in text
    # Wilson's interval of 0 of 10 is [0, 0.278]
    assert "0.7 to 0.8 10 70.0 0.0 0.0 to 27.8" in " ".join(page.text.split())
    assert "expected calibration error is 20.0 points" in page.text
    summary["pairs"] |= {"kept": [{"share": 0.5}], "calibration": [{"right": None}], "calibration_error": None}
    _, page = read(write_run(tmp_path / "broken", summary))
    assert "most confident problems" not in page.text
    assert "calibration error" not in page.text


def test_a_page_with_scores_of_the_base_alone_mentions_no_comparison(tmp_path: Path, summary: dict[str, Any]) -> None:
    summary["scores"].pop("aligned")
    summary["comparison"] = []
    _, page = read(write_run(tmp_path, summary))
    assert "Before and after" not in page.text
    assert "paired" not in page.text
    assert "The aligned model is not scored yet" in page.text


def test_a_rare_verdict_has_a_share_above_zero(tmp_path: Path, summary: dict[str, Any]) -> None:
    summary["verdicts"] = {"own tests": {"P": 99_999, "X": 1}}
    _, page = read(write_run(tmp_path, summary))
    assert "forbidden <0.1% 1" in page.text


def test_pairs_show_the_verdicts_of_the_true_tests(tmp_path: Path, summary: dict[str, Any]) -> None:
    folder = write_run(tmp_path, summary)
    (folder / "audit").mkdir()
    rows = [
        {"task_id": f"t/{i}", "solution_id": s, "verdicts": codes, "solution": "x"}
        for i in range(12)
        for s, codes in enumerate(("PPPP", "PFPP"))
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "audit" / "verdicts.parquet")
    _, page = read(folder)
    assert page.text.count("right by the true tests") == 10
    (folder / "audit" / "verdicts.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(UserError, match=r"audit/verdicts\.parquet"):
        write_report(folder)


def test_the_same_run_gives_the_same_page(tmp_path: Path, summary: dict[str, Any]) -> None:
    folder = write_run(tmp_path, summary)
    assert write_report(folder).read_bytes() == write_report(folder).read_bytes()


def test_wrong_input_gives_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no summary\.json"):
        write_report(tmp_path)
    (tmp_path / "summary.json").write_text("[1]")
    with pytest.raises(UserError, match="must hold a JSON object"):
        write_report(tmp_path)
    (tmp_path / "summary.json").write_text("{}")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "pairs.parquet")
    with pytest.raises(UserError, match="has no column task_id"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_names_in_the_page_keep_their_capitals(tmp_path: Path, summary: dict[str, Any]) -> None:
    figures = [{"name": "overall", "value": 7.0, "low": 6.5, "high": 7.5, "n": 20}]
    summary["grading"] = {"scores": {"GPT-4 tuned": figures}, "comparison": []}
    _, page = read(write_run(tmp_path, summary))
    assert "GPT-4 tuned" in page.text
