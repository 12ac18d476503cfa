"""Tests that a solution can plot, and cannot write into the folder of matplotlib's list of fonts."""

from __future__ import annotations

from pathlib import Path

import pytest

from codepref import execute
from codepref.execution import plotting
from codepref.execution.limits import Limits
from codepref.records import Problem, Solution, Test

PLOT = """import matplotlib.pyplot as plt

def f():
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3])
    figure.canvas.draw()
    return axes
"""
TEST = """import unittest
class TestCases(unittest.TestCase):
    def test_line(self):
        self.assertEqual(len(f().lines), 1)
"""
SPOILER = """import matplotlib, pathlib

def f():
    pathlib.Path(matplotlib.get_configdir(), "fontlist-v0.json").write_text("{}")
"""


def codes(source: str) -> str:
    problem = Problem("t", "Draw a line.", "f", tests=(Test("t", "0", TEST, "unittest"),))
    (matrix,) = execute([problem], [Solution("t", 0, source)], limits=Limits(20.0), jobs=1)
    return matrix.verdicts[0].codes


def test_a_solution_can_plot_but_cannot_write_to_the_font_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEPREF_CACHE", str(tmp_path))
    plotting.plotting_folder.cache_clear()
    try:
        assert codes(PLOT) == "P"
        assert codes(SPOILER) == "X"
        (folder,) = tmp_path.glob("matplotlib-*")
        assert len(list(folder.glob("fontlist*.json"))) == 1
    finally:
        plotting.plotting_folder.cache_clear()


def test_without_a_cache_folder_there_is_no_font_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEPREF_CACHE", "off")
    plotting.plotting_folder.cache_clear()
    try:
        assert plotting.plotting_folder() is None
    finally:
        plotting.plotting_folder.cache_clear()
