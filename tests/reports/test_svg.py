"""Charts are well-formed XML, show all their values, and escape text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.reports.svg import Interval, Line, interval_chart, line_chart, moving_average, nice_ticks, tick_text


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_are_round_and_ascending_and_cover_the_values(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    invisible = 1e-6 * max(abs(low), span, 1.0)  # a millionth of the axis is less than a pixel
    assert ticks[0] <= low + invisible
    assert ticks[-1] >= low + span - invisible
    assert ticks == sorted(set(ticks))
    assert 2 <= len(ticks) <= 13


def test_ticks_that_were_computed_by_hand() -> None:
    assert nice_ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert nice_ticks(-0.03, 0.12, 3) == [-0.05, 0.0, 0.05, 0.1, 0.15]
    assert tick_text(-0.5) == "−0.5"


def test_a_moving_average_that_was_computed_by_hand() -> None:
    assert moving_average([1, 2, 3, 4], 2) == [1, 1.5, 2.5, 3.5]


def test_an_interval_chart_draws_each_point_inside_its_frame() -> None:
    rows = [
        ("pass@1", [Interval(50, 40, 60, "base", "50 <b>"), Interval(100, 90, 100, "aligned", "full")]),
        ("pass@10", [Interval(0, None, None, "base", "none")]),
    ]
    root = ET.fromstring(interval_chart("Scores & more", rows))
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    circles = root.findall(".//circle")
    assert len(circles) == 3
    assert all(0 < float(c.attrib["cx"]) < width and 0 < float(c.attrib["cy"]) < height for c in circles)
    assert "50 <b>" in [text.text for text in root.findall("text")]


def test_a_chart_of_differences_marks_zero() -> None:
    text = interval_chart("Differences", [("x", [Interval(12, 10, 14, "better", "+12")])], zero=True)
    assert 'class="zero"' in text
    assert ">0</text>" in text


@pytest.mark.parametrize("count", [1, 2, 29, 30, 500])
def test_a_line_chart_can_have_any_number_of_points(count: int) -> None:
    points = [(float(i), 0.5 * i) for i in range(1, count + 1)]
    root = ET.fromstring(line_chart("Loss", [Line("loss", "ink", points)], mark=0.6931))
    faint = [p for p in root.findall("polyline") if "faint" in p.attrib["class"]]
    assert len(faint) == (1 if count >= 30 else 0)
    assert not re.search(r"nan|inf", ET.tostring(root, "unicode"))


def test_equal_values_give_a_flat_line() -> None:
    root = ET.fromstring(line_chart("x", [Line("x", "ink", [(1, 2.0), (2, 2.0), (3, 2.0)])]))
    heights = {point.split(",")[1] for point in root.findall("polyline")[0].attrib["points"].split()}
    assert len(heights) == 1
