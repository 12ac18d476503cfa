"""Imports between the modules of `codepref.training`, also those inside functions, form no circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import codepref.training

ROOT = Path(codepref.training.__file__).parent


def imports_of(path: Path) -> set[str]:
    """Return the modules in `from MODULE import` and `import MODULE` that begin with `codepref.training.`."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules |= {name for name in names if name.startswith("codepref.training.")}
    return modules


def test_no_modules_of_the_training_room_import_each_other_in_a_circle() -> None:
    graph = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent.parent).with_suffix("").parts
        graph[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = imports_of(path)
    assert "codepref.training.launch" in graph["codepref.training.worker"]
    TopologicalSorter(graph).prepare()  # raises CycleError with the modules of a circle
