"""The structure of the package: what each module may import, and which commands have a documented function."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "codepref"
ROOMS = (
    "__main__",
    "cli",
    "__init__",
    "api",
    "runs",
    "hub",
    "reports",
    "exports",
    "training",
    "evaluation",
    "pairing",
    "judging",
    "service",
    "execution",
    "sampling",
    "servers",
    "conversations",
    "problems",
    "scale",
    "config",
    "models",
    "chat",
    "starter",
    "preferences",
    "records",
    "storage",
    "registry",
    "errors",
)
"""The rooms of the package: its folders and top-level modules. A room imports only from itself and from rooms below."""

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""Allowed imports from a room above: (importing room, imported room) -> the reason. At most three."""

HEAVY = {
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "vllm",
    "openai",
    "ray",
    "sandlock",
    "pyarrow",
    "radon",
    "ruff",
    "huggingface_hub",
}
HOMES = {
    "torch": {
        "models",
        "sampling/engines/transformers.py",
        "sampling/decoding",
        "training",
        "starter",
        "runs/summary.py",
    },
    "transformers": {"models", "sampling/engines/transformers.py", "sampling/decoding", "training", "starter"},
    "trl": {"training"},
    "peft": {"training", "models"},
    "datasets": {"training", "problems/hub.py", "pairing/artifact.py", "models"},
    "sandlock": {"execution"},
    "ray": {"scale"},
    "openai": {"servers/client.py", "servers/connection.py"},
    "fastapi": {"service/app.py"},
    "pydantic": {"service/bodies.py"},
    "starlette": {"service"},
    "uvicorn": {"service/server.py"},
    "prometheus_client": {"service/metrics.py"},
    "radon": {"judging/metrics.py"},
    "ruff": {"judging/linter.py"},
    "huggingface_hub": {"hub", "problems/hub.py"},
}


def imports(path: Path, *, top_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def room_of(module: str) -> str:
    """Return the room of a module: "runs" for `codepref.runs.plan`, and "__init__" for `codepref`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def module_of(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def arrows(root: Path = ROOT) -> dict[tuple[str, str], list[str]]:
    """Return the places of the absolute imports of one room by another: (importing room, imported room) -> places.

    Imports inside functions count too.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for path in sorted(root.rglob("*.py")):
        here = room_of(module_of(path, root))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for module in targets(node):
                if (other := room_of(module)) != here:
                    place = f"{path.relative_to(root)}:{node.lineno} imports {module}"  # type: ignore[attr-defined]
                    found.setdefault((here, other), []).append(place)
    return found


def targets(node: ast.AST) -> list[str]:
    """Return the codepref modules that an absolute import statement names.

    `from codepref.a import b` names codepref.a, and `from codepref import b` names codepref.b. The import of
    `__version__` from codepref names none.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.split(".")[0] == "codepref"]
    if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != "codepref":
        return []
    if node.module != "codepref":
        return [str(node.module)]
    return [f"codepref.{alias.name}" for alias in node.names if alias.name != "__version__"]


def upward(found: dict[tuple[str, str], list[str]]) -> list[str]:
    """Return the places that import from a room above, except those that EXCEPTIONS allows."""
    return [
        place
        for (here, other), places in found.items()
        for place in places
        if ROOMS.index(here) > ROOMS.index(other) and (here, other) not in EXCEPTIONS
    ]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of two or more names that reach each other: the strongly connected components of the graph."""
    reached = {name: reach(graph, name) for name in graph}
    groups = {tuple(sorted(other for other in reached[name] if name in reached.get(other, ()))) for name in graph}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def reach(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen


def modules_graph(root: Path = ROOT) -> dict[str, set[str]]:
    """Return for each module the codepref modules that its imports name, except imports inside a block."""
    known = {module_of(path, root) for path in root.rglob("*.py")}
    graph: dict[str, set[str]] = {module: set() for module in known}
    for path in root.rglob("*.py"):
        here = module_of(path, root)
        package = here if path.name == "__init__.py" else here.rpartition(".")[0]
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for module in [*targets(node), *relative_targets(node, package)]:
                names = {f"{module}.{alias.name}" for alias in getattr(node, "names", [])} & known
                rest = not names or len(names) < len(getattr(node, "names", []))  # a name that is no module
                graph[here] |= names | ({module} & known if rest else set())
        graph[here].discard(here)
    return graph


def relative_targets(node: ast.AST, package: str) -> list[str]:
    """Return the module that a relative import statement names, or the package for `from . import x`.

    package: the package that holds the importing module, or this package itself for its `__init__`.
    """
    if not isinstance(node, ast.ImportFrom) or not node.level:
        return []
    base = package.split(".")[: len(package.split(".")) - node.level + 1]
    return [".".join([*base, *([node.module] if node.module else [])])]


def test_every_room_stands_in_the_list() -> None:
    rooms = {room_of(module_of(path)) for path in ROOT.rglob("*.py")}
    assert rooms <= set(ROOMS), f"add {rooms - set(ROOMS)} to ROOMS, where they belong in the flow"


def test_imports_run_down_the_list_of_rooms() -> None:
    assert upward(arrows()) == []


def test_at_most_three_exceptions_and_each_is_needed() -> None:
    assert len(EXCEPTIONS) <= 3
    assert EXCEPTIONS.keys() <= arrows().keys()


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(modules_graph()) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("from codepref.runs.plan import plan", "records.py:1 imports codepref.runs.plan"),
        ("def f():\n    from codepref import api", "records.py:2 imports codepref.api"),
        ("import codepref.training.train", "records.py:1 imports codepref.training.train"),
    ],
)
def test_an_import_that_runs_up_is_found(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "codepref").mkdir()
    (tmp_path / "codepref" / "records.py").write_text(line + "\n")
    assert upward(arrows(tmp_path / "codepref")) == [message]


def test_a_circle_of_modules_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_a_circle_of_relative_imports_is_found(tmp_path: Path) -> None:
    room = tmp_path / "codepref" / "room"
    (room / "below").mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "x": "from .below import y",
        "below/__init__": "",
        "below/y": "from ..z import f",
        "z": "from . import x",
    }.items():
        (room / f"{name}.py").write_text(text)
    names = ["codepref.room.below.y", "codepref.room.x", "codepref.room.z"]
    assert circles(modules_graph(tmp_path / "codepref")) == [names]


def pure_modules() -> list[str]:
    """Return the paths of the modules that say "Pure." in their docstring."""
    modules = {path: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in ROOT.rglob("*.py")}
    return sorted(str(path.relative_to(ROOT)) for path, doc in modules.items() if "Pure." in (doc or ""))


def test_most_of_the_logic_is_pure() -> None:
    assert len(pure_modules()) >= 40


@pytest.mark.parametrize("name", pure_modules())
def test_pure_modules_reach_nothing_heavy(name: str) -> None:
    seen: set[str] = set()
    waiting = [ROOT / name]
    while waiting:
        for module in imports(waiting.pop()):
            assert module.split(".")[0] not in HEAVY, f"{name} reaches {module}"
            if module.startswith("codepref") and module not in seen:
                seen.add(module)
                path = ROOT.parent / Path(*module.split("."))
                # a pure module may not import heavy libraries inside functions either
                waiting.append(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_each_library_is_imported_in_its_own_rooms_alone(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    for module in imports(path):
        library = module.split(".")[0]
        if library in HOMES:
            assert any(name.startswith(home) for home in HOMES[library]), f"{name} imports {library}"
    for module in imports(path, top_only=True):
        assert module.split(".")[0] not in HEAVY or name.startswith("starter/"), (
            f"{name} imports {module} when it is imported"
        )


def test_help_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import contextlib, sys\nfrom codepref.cli.main import main\n"
        "with contextlib.suppress(SystemExit):\n    main(['--help'])\n"
        "print(sorted({'torch', 'transformers', 'trl', 'numpy', 'pyarrow', 'fastapi', 'pydantic'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"


COMMAND_LINE_ALONE = {"status", "show", "report", "doctor"}
"""Commands without a function of the same name in `codepref`."""


def documented_arguments(documentation: str) -> set[str]:
    """Return the names that a docstring explains, as `name: ...` or `name, other: ...`.

    The names stand at the start of the docstring or after ".", ";" or ":".
    """
    lists = re.findall(r"(?:^|[.;:]\s)([a-z_]+(?:, [a-z_]+)*): ", " ".join(documentation.split()))
    return {name for names in lists for name in names.split(", ")}


def test_every_command_has_a_function_of_its_name_that_explains_its_own_arguments() -> None:
    import codepref
    from codepref.cli.parser import COMMANDS

    names = {command[0] for command in COMMANDS} - COMMAND_LINE_ALONE
    for name in sorted(names | {"load_problems", "judge_by_rubric", "calibrate_judge"}):
        assert name in codepref.__all__
        function = getattr(codepref, name)
        assert inspect.isfunction(function)
        assert function.__name__ == name
        assert function.__doc__, f"codepref.{name} has no docstring"
        unknown = documented_arguments(function.__doc__) - set(inspect.signature(function).parameters)
        assert not unknown, f"codepref.{name} explains {unknown}, which it does not take"


def test_an_explained_argument_is_recognised() -> None:
    text = "Train a model. pairs: a file.\n\n    seed, dtype: see there. See `a: b` and {c: d}."
    assert documented_arguments(text) == {"pairs", "seed", "dtype"}
