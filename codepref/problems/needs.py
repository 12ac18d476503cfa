"""Finds packages that problems need and that are not installed, so that users learn of them before solutions fail."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import cache

from codepref.problems.kinds import kind_of
from codepref.problems.source import parse
from codepref.problems.test_names import SOLUTION
from codepref.records import Problem

DISTRIBUTIONS = {
    "Crypto": "pycryptodome",
    "Levenshtein": "levenshtein",
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
"""Name in imports -> name for pip, for some packages whose names differ."""

_LINE = re.compile(r"^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+(.+))", re.MULTILINE)


def packages_needed(problem: Problem) -> set[str]:
    """Return the top-level names of the packages outside the standard library that a problem imports or lists.

    The names come from the imports of the preamble and of tests in Python, and from the field `libs`, in which
    BigCodeBench lists packages. Imports inside a `try`, and the modules of `modules_of_solution`, do not count.
    """
    names = {name for source in _sources(problem) for name in _imported(source)} | _libs(problem)
    outside = {name for name in names if not _is_standard(name)}
    return outside - modules_of_solution(problem) if outside else outside


def modules_of_solution(problem: Problem) -> set[str]:
    """Return the modules that stand for the solution: `solution`, and those from which tests import the entry point."""
    modules = {SOLUTION}
    for test in problem.tests:
        if kind_of(test).python and "import" in test.source and (tree := parse(test.source)) is not None:
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and any(part.name == problem.entry_point for part in node.names):
                    modules.add((node.module or "").partition(".")[0])
    return modules


def missing_packages(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """Return the packages that this interpreter cannot find, each with the ids of the tasks that need it.

    The check imports none of them. It can miss some imports, such as one that does not begin a line. Packages are
    sorted by name, and tasks keep the order of the problems.
    """
    tasks: dict[str, list[str]] = {}
    for problem in problems:
        # parsing every test would take seconds, and most problems name only installed packages
        suspects = {name for source in _sources(problem) for name in _mentioned(source)} | _libs(problem)
        if all(map(_is_here, suspects)):
            continue
        for name in packages_needed(problem):
            if not _is_here(name):
                tasks.setdefault(name, []).append(problem.task_id)
    return dict(sorted(tasks.items()))


def missing_packages_message(problems: Sequence[Problem]) -> str:
    """Return a message about missing packages that problems need, with the pip command, or "" if none is missing."""
    missing = missing_packages(problems)
    if not missing:
        return ""
    tasks = {task for named in missing.values() for task in named}
    packages = "; ".join(f"{package} ({list_names(set(named))})" for package, named in missing.items())
    install = " ".join(DISTRIBUTIONS.get(package, package) for package in missing)
    return (
        f"{len(tasks):,} of {len(problems):,} problems need packages that are not installed here, so "
        f"their solutions may fail: {packages}. To install them: pip install {install}"
    )


def list_names(tasks: Set[str]) -> str:
    """Return up to three names in alphabetical order, and the number of the other names.

    The form is "a, b, c and 4 problems more".
    """
    named = sorted(tasks)
    return ", ".join(named[:3]) + (f" and {len(named) - 3:,} problems more" if len(named) > 3 else "")


def _sources(problem: Problem) -> Iterator[str]:
    yield problem.preamble
    yield from (test.source for test in problem.tests if kind_of(test).python)


def _libs(problem: Problem) -> set[str]:
    """Return the packages in `libs`, which is a list, or in BigCodeBench the text of a list."""
    value = problem.meta.get("libs")
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return set()
    items = value if isinstance(value, list | tuple) else ()
    return {item.partition(".")[0] for item in items if isinstance(item, str) and item}


def _mentioned(source: str) -> Iterator[str]:
    """Yield the names in lines that look like imports.

    This is faster than `_imported`. It can give more names, and misses some, such as imports that do not begin a line.
    """
    for start, rest in _LINE.findall(source) if "import" in source else ():
        for part in [start] if start else re.split("[,;]", rest):
            words = [word for word in re.findall(r"\w+", part) if word not in ("import", "from")]
            yield from words[:1]


def _imported(source: str) -> set[str]:
    tree = parse(source)
    waiting: list[ast.AST] = [tree] if tree else []
    names = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
        elif not isinstance(node, ast.Try):
            waiting.extend(ast.iter_child_nodes(node))
    return names


def _is_standard(name: str) -> bool:
    return name in sys.stdlib_module_names or name.startswith("__")


@cache
def _is_here(name: str) -> bool:
    if _is_standard(name):
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
