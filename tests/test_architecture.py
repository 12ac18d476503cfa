"""The walls of the house: what may import what, and how fast the door opens."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "codepref"
PURE = [
    "sampling/prompts.py",
    "sampling/templates.py",
    "sampling/extract.py",
    "sampling/probes.py",
    "pairing/rules.py",
    "pairing/all_tests.py",
    "pairing/dstc.py",
    "pairing/codet.py",
    "pairing/b4.py",
    "pairing/agreement.py",
    "pairing/hygiene.py",
    "pairing/normalise.py",
    "calls/records.py",
    "calls/pricing.py",
    "calls/backoff.py",
    "calls/ledger.py",
    "judging/preferences.py",
    "judging/prompts.py",
    "judging/parsing.py",
    "judging/questions.py",
    "judging/summary.py",
    "judging/calibrate.py",
    "training/demonstrations.py",
    "pairing/rated.py",
    "judging/facts.py",
    "judging/preferences.py",
    "training/rows.py",
    "training/kto_rows.py",
    "training/interleave.py",
    "training/curve.py",
    "training/prefix_tree.py",
    "training/watching.py",
    "evaluation/estimators.py",
    "evaluation/calibration.py",
    "evaluation/precision.py",
    "evaluation/pair_shape.py",
    "evaluation/comparison.py",
    "evaluation/gate.py",
    "evaluation/power.py",
    "problems/contamination.py",
    "evaluation/graded.py",
    "reports/tables.py",
    "reports/cards.py",
]
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
    "torch": {"models.py", "sampling/backends/transformers.py", "training", "starter", "runs/summary.py"},
    "transformers": {"models.py", "sampling/backends/transformers.py", "training", "starter"},
    "trl": {"training"},
    "peft": {"training", "models.py"},
    "datasets": {"training", "problems/hub.py", "pairing/artifact.py", "models.py"},
    "sandlock": {"execution"},
    "openai": {"calls/client.py"},
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


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_reach_nothing_heavy(name: str) -> None:
    seen: set[str] = set()
    waiting = [ROOT / name]
    while waiting:
        for module in imports(waiting.pop()):
            assert module.split(".")[0] not in HEAVY, f"{name} reaches {module}"
            if module.startswith("codepref") and module not in seen:
                seen.add(module)
                path = ROOT.parent / Path(*module.split("."))
                # what a function imports of files or stages is not allowed in a pure module either
                waiting.append(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_each_library_is_imported_in_its_own_rooms_alone(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    for module in imports(path):
        library = module.split(".")[0]
        if library in HOMES:
            assert any(name.startswith(home) for home in HOMES[library]), f"{name} imports {library}"
    for module in imports(path, top_only=True):
        assert module.split(".")[0] not in HEAVY or name.startswith("starter/"), f"{name} imports {module} on import"


def test_help_and_reading_a_run_need_neither_torch_nor_numpy() -> None:
    code = (
        "import sys\nfrom codepref.cli.parser import build_parser\nbuild_parser().format_help()\n"
        "print(sorted({'torch', 'transformers', 'trl', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_functions_of_the_commands_are_in_the_package_with_their_help() -> None:
    import codepref

    names = ["sample", "execute", "pair", "audit", "train", "evaluate", "compare", "run", "demo", "load_problems"]
    for name in [*names, "respond", "judge", "judge_by_rubric", "calibrate_judge", "grade"]:
        documentation = getattr(codepref, name).__doc__
        assert documentation
        assert len(documentation) > 80
