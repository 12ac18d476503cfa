"""Which packages problems need that are not installed here: told before anything runs, and not as failed solutions."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import cache

from codepref.problems.kinds import kind_of
from codepref.problems.source import parse
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
"""Packages that are installed under another name than they are imported by."""

_LINE = re.compile(r"^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+(.+))", re.MULTILINE)


def packages_needed(problem: Problem) -> set[str]:
    """Top-level names of the packages, the standard library aside, that every solution of a problem meets.

    They are what its preamble (the imports of its prompt) and its tests import, and `libs`, as BigCodeBench lists them.
    An import inside a `try` is no need.
    """
    names = {name for source in _sources(problem) for name in _imported(source)} | _libs(problem)
    return {name for name in names if not _is_standard(name)}


def missing_packages(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """Package -> the tasks that need it, for packages that the interpreter running this cannot import.

    Nothing is imported for it. Sorted by package; tasks in the order of the problems.
    """
    found: dict[str, list[str]] = {}
    for problem in problems:
        # parsing every test would take seconds; most name installed packages alone
        suspects = {name for source in _sources(problem) for name in _mentioned(source)} | _libs(problem)
        if all(map(_is_here, suspects)):
            continue
        for name in packages_needed(problem):
            if not _is_here(name):
                found.setdefault(name, []).append(problem.task_id)
    return dict(sorted(found.items()))


def needs_told(problems: Sequence[Problem]) -> str:
    """A sentence on the packages that problems need and that are not here, and how to have them; "" for none."""
    missing = missing_packages(problems)
    if not missing:
        return ""
    tasks = {task for named in missing.values() for task in named}
    told = "; ".join(f"{package} ({names_told(set(named))})" for package, named in missing.items())
    install = " ".join(DISTRIBUTIONS.get(package, package) for package in missing)
    return (
        f"{len(tasks):,} of {len(problems):,} problems need packages that are not installed here, so that "
        f"their solutions cannot pass: {told}. To have them: pip install {install}"
    )


def names_told(tasks: Set[str]) -> str:
    """The first three names, and how many more there are."""
    named = sorted(tasks)
    return ", ".join(named[:3]) + (f" and {len(named) - 3:,} problems more" if len(named) > 3 else "")


def _sources(problem: Problem) -> Iterator[str]:
    yield problem.preamble
    yield from (test.source for test in problem.tests if kind_of(test).python)


def _libs(problem: Problem) -> set[str]:
    """`libs`: a list, or its text as BigCodeBench has it."""
    value = problem.meta.get("libs")
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return set()
    items = value if isinstance(value, list | tuple) else ()
    return {item.partition(".")[0] for item in items if isinstance(item, str) and item}


def _mentioned(source: str) -> Iterator[str]:
    """Names that may be imported, by the look of the lines; more than `_imported` gives, and faster."""
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
