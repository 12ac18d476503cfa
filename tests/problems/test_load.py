"""Loading of problems: some formats, files, hub data sets, the choice of a format, and messages about mistakes."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codepref.errors import MachineError, UserError
from codepref.problems import load_problems
from codepref.problems.formats import FORMATS, Format
from codepref.problems.inputs import decode_inputs, parse_inputs
from codepref.problems.left_out import LeftOutWarning
from codepref.problems.load import problems_from_rows
from codepref.registry import Registry

Write = Callable[..., Path]

HUMANEVAL = {
    "task_id": "HumanEval/38",
    "prompt": (
        "from typing import List\nimport math\n\nSIZE = 3\n\n\n"
        "def encode(s: str):\n    return s[::-1][:SIZE]\n\n\n"
        'def decode(s: str) -> List[str]:\n    """Undo encode."""\n'
    ),
    "entry_point": "decode",
    "canonical_solution": "    return list(s[::-1])\n",
    "test": "def check(candidate):\n    assert candidate(encode('abc')) == list('abc')\n",
}
PLUS = {
    "task_id": "HumanEval/0",
    "prompt": "def double(x):\n",
    "entry_point": "double",
    "canonical_solution": "    return 2 * x\n",
    "base_input": [[1]],
    "plus_input": [[2.5], ["a"]],
    "atol": 0,
    "contract": "",
}
MBPP = {
    "task_id": 2,
    "text": "Write a function to add.",
    "code": "import math\r\ndef helper(x):\r\n  return x\r\ndef add(a, b):\r\n  return helper(a) + b",
    "test_setup_code": "",
    "test_list": ["assert add(1, 2) == 3", "assert math.floor(add(1, 2.5)) == 3"],
    "challenge_test_list": [],
}
MBPP_SANITIZED = {
    "source_file": "x.ipynb",
    "task_id": 3,
    "prompt": "Write a function to add.",
    "code": "def add(a, b):\n  return a + b",
    "test_imports": ["import math"],
    "test_list": ["assert math.floor(add(1, 2.5)) == 3"],
}
MBPP_SCRIPT = {
    **MBPP_SANITIZED,
    "test": "inputs = [[1, 2]]\nresults = [3]\nfor inp, exp in zip(inputs, results):\n    assert add(*inp) == exp\n",
}
OWN = {
    "task_id": "own/1",
    "prompt": "Write add(a, b).",
    "tests": ["assert add(1, 2) == 3", "def check(candidate):\n    assert candidate(0, 0) == 0"],
    "gold": "def add(a, b):\n    return a + b\n",
    "level": "easy",
}


def test_a_row_of_humaneval_becomes_a_problem(write_lines: Write) -> None:
    (problem,) = load_problems(write_lines([HUMANEVAL], "HumanEval.jsonl.gz"))
    assert (problem.task_id, problem.entry_point, problem.style) == ("HumanEval/38", "decode", "complete")
    assert problem.gold == HUMANEVAL["prompt"] + HUMANEVAL["canonical_solution"]
    (test,) = problem.tests
    assert (test.kind, test.test_id, test.source) == ("check", "check", HUMANEVAL["test"])
    # helpers are what tests can call; List is left out, since only the signature of the entry point uses it
    assert problem.helpers == "import math\nSIZE = 3\ndef encode(s: str):\n    return s[::-1][:SIZE]\n"
    assert problem.preamble == "from typing import List\n" + problem.helpers


def test_inputs_of_evalplus_become_two_tests(write_lines: Write) -> None:
    (problem,) = load_problems(write_lines([PLUS]))
    assert [(test.test_id, test.kind) for test in problem.tests] == [("base", "inputs"), ("plus", "inputs")]
    test = parse_inputs(problem.tests[1].source)
    assert decode_inputs(test.inputs) == [[2.5], ["a"]]
    assert test.reference == problem.gold == "def double(x):\n    return 2 * x\n"
    assert (test.entry_point, test.atol, test.compare) == ("double", 0, "equal")


def test_evalplus_without_plus_inputs_has_one_test(write_lines: Write) -> None:
    (problem,) = load_problems(write_lines([{**PLUS, "plus_input": {}}]))
    assert [test.test_id for test in problem.tests] == ["base"]


def test_a_row_of_mbpp_becomes_a_problem(write_lines: Write) -> None:
    (problem,) = load_problems(write_lines([MBPP]))
    assert (problem.task_id, problem.entry_point, problem.style) == ("Mbpp/2", "add", "instruct")
    assert problem.prompt == "Write a function to add.\nassert add(1, 2) == 3\n"
    assert [test.source for test in problem.tests] == MBPP["test_list"]
    assert [test.test_id for test in problem.tests] == ["0", "1"]
    assert problem.gold is not None
    assert "\r" not in problem.gold


def test_sanitized_mbpp_is_read_from_a_json_array(tmp_path: Path) -> None:
    import json

    path = tmp_path / "sanitized-mbpp.json"
    path.write_text(json.dumps([MBPP_SANITIZED]))
    (problem,) = load_problems(path)
    assert problem.helpers == "import math\n"
    assert problem.task_id == "Mbpp/3"


def test_a_script_of_mbpp_plus_becomes_one_test(write_lines: Write) -> None:
    (problem,) = load_problems(write_lines([MBPP_SCRIPT]))
    (test,) = problem.tests
    assert (test.kind, test.source) == ("asserts", MBPP_SCRIPT["test"])
    assert problem.entry_point == "add"


def test_a_row_of_the_own_format_becomes_a_problem(write_lines: Write) -> None:
    (problem,) = load_problems(write_lines([OWN]))
    assert problem.entry_point == "add"
    assert [(test.test_id, test.kind) for test in problem.tests] == [("0", "asserts"), ("1", "check")]
    assert problem.meta["level"] == "easy"


def test_an_own_row_of_style_complete_takes_helpers_from_the_prompt(write_lines: Write) -> None:
    row = {
        "task_id": "a",
        "prompt": "K = 2\n\ndef times(x):\n",
        "style": "complete",
        "tests": ["assert times(2) == K * 2"],
        "entry_point": "times",
    }
    (problem,) = load_problems(write_lines([row]))
    assert problem.helpers == "K = 2\n"
    assert problem.gold is None


def test_parquet_is_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "test.parquet"
    pq.write_table(pa.Table.from_pylist([MBPP_SCRIPT]), path)
    assert load_problems(path)[0].entry_point == "add"


def test_a_limit_takes_the_first_problems(write_lines: Write) -> None:
    path = write_lines([{**OWN, "task_id": str(number)} for number in range(5)])
    assert [problem.task_id for problem in load_problems(path, limit=2)] == ["0", "1"]
    with pytest.raises(UserError, match="at least 1"):
        load_problems(path, limit=0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**OWN, "task_id": None}, "task_id must be text"),
        ({**OWN, "prompt": 3}, "prompt must be text"),
        ({**OWN, "tests": "assert add(1, 2) == 3"}, "tests must be a list of texts"),
        ({**OWN, "tests": {"kind": "asserts", "source": "assert add(1, 2) == 3"}}, "tests must be a list of texts"),
        ({**OWN, "tests": ["assert add(1,"]}, "test 0 cannot be read as Python"),
        ({**OWN, "style": "chat"}, "style must be"),
        ({**OWN, "gold": "def add(:"}, "gold must be a whole Python program"),
        ({**OWN, "entry_point": "not a name"}, "entry_point must be the name of a function"),
        ({**OWN, "tests": [], "gold": None}, "no function fits"),
        ({**OWN, "gold": None, "tests": ["assert f(g(1)) == 2"]}, r"several functions fit \(f, g\)"),
        ({key: value for key, value in OWN.items() if key != "tests"}, "lacks tests"),
        (OWN, "repeats task_id 'own/1', first seen at"),
        ("{broken", "not valid JSON"),
        ("[1]", "must be a JSON object"),
    ],
)
def test_a_message_about_a_wrong_row_names_its_line(write_lines: Write, row: Any, message: str) -> None:
    path = write_lines([OWN, "", row])
    with pytest.raises(UserError, match=message) as caught:
        load_problems(path, strict=True)
    assert f"{path}:3" in str(caught.value)
    with pytest.warns(LeftOutWarning, match=rf"1 of 2 rows is left out[^\n]*:\n  {path}:3: .*{message}"):
        problems = load_problems(path)
    assert [problem.task_id for problem in problems] == ["own/1"]
    assert problems.left_out.rows == 1


def test_a_row_without_an_evident_entry_point_is_refused(write_lines: Write) -> None:
    with pytest.raises(UserError, match=r":1: entry_point must be the name of a function, not ''"):
        load_problems(write_lines([{**HUMANEVAL, "entry_point": None}]))
    with pytest.raises(UserError, match=":1: no entry_point"):
        load_problems(write_lines([{**MBPP, "test_list": ["assert 1 == 1"]}]))


def test_one_error_lists_up_to_ten_mistakes(write_lines: Write) -> None:
    rows = [OWN, *({**OWN, "task_id": str(number), "style": "x"} for number in range(30))]
    path = write_lines(rows)
    with pytest.raises(UserError) as caught:
        load_problems(path, strict=True)
    assert len(caught.value.problems) == 10
    with pytest.warns(LeftOutWarning, match=r"30 of 31 rows are left out.*(\n.*){10}\n  and 20 other rows$"):
        assert len(load_problems(path)) == 1
    with pytest.raises(UserError) as caught:
        load_problems(write_lines(rows[1:]))
    assert len(caught.value.problems) == 11
    assert caught.value.problems[10] == "and 20 other rows"


def test_the_message_about_unknown_columns_lists_the_known_formats(write_lines: Write) -> None:
    path = write_lines([{"task_id": "BigCodeBench/0", "complete_prompt": "", "test": "", "entry_point": "task_func"}])
    with pytest.raises(UserError) as caught:
        load_problems(path)
    message = str(caught.value)
    assert "complete_prompt" in message
    assert all(name in message for name in ("HumanEval", "MBPP", "codepref's own", "docs/reference/problems.md"))


def test_a_source_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_problems(tmp_path / "none.jsonl")
    with pytest.raises(UserError, match="the folder holds no file of data"):
        load_problems(tmp_path)
    with pytest.raises(UserError, match="no such file"):
        load_problems("data/HumanEval.jsonl")  # looks like a hub name, but has the ending of a file
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UserError, match="holds no problem"):
        load_problems(tmp_path / "empty.jsonl")


def test_a_builtin_name_can_be_an_entry_point(write_lines: Write) -> None:
    row = {**MBPP_SANITIZED, "code": "def sum(a, b):\n  return a + b", "test_list": ["assert sum(1, 2) == 3"]}
    assert load_problems(write_lines([row]))[0].entry_point == "sum"


def fake_hub(monkeypatch: pytest.MonkeyPatch, load: Callable[..., Any]) -> None:
    class DatasetsError(Exception):
        pass

    class DatasetNotFoundError(DatasetsError):
        pass

    module = types.ModuleType("datasets")
    module.load_dataset = load  # type: ignore[attr-defined]
    module.exceptions = types.SimpleNamespace(  # type: ignore[attr-defined]
        DatasetsError=DatasetsError, DatasetNotFoundError=DatasetNotFoundError
    )
    monkeypatch.setitem(sys.modules, "datasets", module)


def test_a_hub_name_can_have_a_config_and_a_split(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def load(name: str, config: str | None) -> dict[str, list[dict[str, Any]]]:
        calls.append((name, config))
        return {"prompt": [{**MBPP, "task_id": 1}], "test": [MBPP]}

    fake_hub(monkeypatch, load)
    assert load_problems("google-research-datasets/mbpp")[0].task_id == "Mbpp/2"
    assert load_problems("google-research-datasets/mbpp:full:prompt")[0].task_id == "Mbpp/1"
    assert calls == [("google-research-datasets/mbpp", None), ("google-research-datasets/mbpp", "full")]
    with pytest.raises(UserError, match=r"has no split 'dev'\. Its splits are prompt, test"):
        load_problems("google-research-datasets/mbpp:full:dev")


BIGCODEBENCH = {
    "task_id": "BigCodeBench/1",
    "complete_prompt": 'import os\ndef f(x):\n    """Long text."""\n',
    "instruct_prompt": "Write f.\nYou should write self-contained code starting with:\n```\nimport os\ndef f(x):\n```",
    "code_prompt": "import os\ndef f(x):\n",
    "canonical_solution": "    return os.sep + x",
    "test": "import unittest\nclass TestCases(unittest.TestCase):\n    def test(self): pass\n",
    "entry_point": "f",
    "doc_struct": "{}",
    "libs": "['os']",
}
"""A row with the columns of bigcode/bigcodebench and bigcode/bigcodebench-hard on the hub."""


@pytest.mark.parametrize("name", ["bigcode/bigcodebench", "bigcode/bigcodebench-hard"])
def test_bigcodebench_on_the_hub_in_both_forms(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, config: str | None) -> dict[str, list[dict[str, Any]]]:
        versions = ("v0.1.0_hf", "v0.1.1", "v0.1.10", "v0.1.2")
        return {version: [{**BIGCODEBENCH, "task_id": f"BigCodeBench/{version}"}] for version in versions}

    fake_hub(monkeypatch, load)
    (problem,) = load_problems(name)
    assert (problem.task_id, problem.style) == ("BigCodeBench/v0.1.10", "complete")
    assert problem.prompt == BIGCODEBENCH["complete_prompt"]
    (problem,) = load_problems(f"{name}::v0.1.1#instruct")
    assert (problem.task_id, problem.style) == ("BigCodeBench/v0.1.1", "instruct")
    assert problem.prompt == BIGCODEBENCH["instruct_prompt"]
    assert problem.gold == "import os\ndef f(x):\n    return os.sep + x"
    assert problem.preamble.strip() == "import os"
    (problem,) = load_problems(f"{name}#instruct")
    assert problem.task_id == "BigCodeBench/v0.1.10"


def test_the_instruct_form_of_a_file_is_chosen_by_its_ending_or_its_columns(write_lines: Write) -> None:
    path = write_lines([BIGCODEBENCH])
    assert load_problems(path)[0].style == "complete"
    assert load_problems(f"{path}#instruct")[0].style == "instruct"
    alone = {key: value for key, value in BIGCODEBENCH.items() if key != "complete_prompt"}
    assert load_problems(write_lines([alone]))[0].style == "instruct"
    with pytest.raises(
        UserError, match=r":1: the row lacks .*instruct_prompt.* \(the rows are read as BigCodeBench, instruct form\)"
    ):
        load_problems(f"{write_lines([MBPP])}#instruct")


def test_a_hub_name_with_several_splits_needs_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub(monkeypatch, lambda name, config: {"v0.1.0": [MBPP], "train": [MBPP]})
    with pytest.raises(UserError, match="choose one of its splits"):
        load_problems("x/y")


def test_a_missing_data_set_is_the_users_error_and_an_unreachable_hub_the_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreachable(name: str, config: str | None) -> None:
        raise ConnectionError("Couldn't reach the hub")

    fake_hub(monkeypatch, unreachable)
    with pytest.raises(MachineError, match="Give a file instead"):
        load_problems("openai/openai_humaneval")

    def unknown(name: str, config: str | None) -> None:
        raise sys.modules["datasets"].exceptions.DatasetNotFoundError("Dataset 'x/y' doesn't exist\nmore")

    fake_hub(monkeypatch, unknown)
    with pytest.raises(UserError, match=r"not on the hub, or it is not public \(Dataset 'x/y' doesn't exist\)"):
        load_problems("x/y")


def test_an_unknown_split_of_the_starter_is_refused() -> None:
    with pytest.raises(UserError, match="starter:heldout"):
        load_problems("starter:test")


def test_a_format_can_be_chosen_by_argument_or_by_the_ending_of_the_source(write_lines: Write) -> None:
    path = write_lines([MBPP_SCRIPT])
    assert load_problems(path)[0].meta["format"] == "mbpp+ script"
    assert load_problems(path, format="mbpp")[0].meta["format"] == "mbpp"
    assert load_problems(f"{path}#mbpp")[0].meta["format"] == "mbpp"
    assert problems_from_rows([MBPP_SCRIPT], format="mbpp")[0].meta["format"] == "mbpp"
    assert problems_from_rows([MBPP_SCRIPT])[0].meta["format"] == "mbpp+ script"


def test_a_file_whose_name_has_the_mark_of_a_format_is_read(write_lines: Write) -> None:
    path = write_lines([OWN], "problems#mbpp.jsonl")
    assert load_problems(str(path))[0].meta["format"] == "codepref"


def test_an_unknown_format_is_refused_with_the_known_names(write_lines: Write) -> None:
    path = write_lines([OWN])
    message = r"problems\.jsonl: unknown format 'mbp' \(did you mean 'mbpp'\?\); known: evalplus, humaneval, "
    with pytest.raises(UserError, match=message):
        load_problems(f"{path}#mbp")
    with pytest.raises(UserError, match=message):
        load_problems(path, format="mbp")


def test_a_row_without_the_columns_of_the_chosen_format_is_refused(write_lines: Write) -> None:
    with pytest.raises(
        UserError, match=r":1: the row lacks code, test_list \(the rows are read as MBPP, full or sanitized\)"
    ):
        load_problems(write_lines([OWN]), format="mbpp")


def test_a_format_of_another_package_is_recognised_before_codeprefs_own(
    write_lines: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "plugin" / "acme_formats-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-formats\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[codepref.formats]\nacme = acme_formats:FORMAT\n")
    (tmp_path / "plugin" / "acme_formats.py").write_text(
        "from codepref.problems.formats import Format\nfrom codepref.records import Problem\n"
        "def read(row, where):\n    return Problem(row['task_id'], row['prompt'], row['function'])\n"
        "FORMAT = Format('Acme', frozenset({'task_id', 'prompt', 'tests', 'function'}), read)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "plugin"))
    table = Registry("format", "codepref.formats", FORMATS.builtin, Format)
    monkeypatch.setattr("codepref.problems.formats.FORMATS", table)
    monkeypatch.setattr("codepref.problems.load.FORMATS", table)
    path = write_lines([{**OWN, "function": "plus"}])
    assert load_problems(path)[0].entry_point == "plus"
    assert load_problems(path, format="codepref")[0].entry_point == "add"
    assert load_problems(f"{path}#acme")[0].entry_point == "plus"


def test_the_message_about_values_that_a_format_does_not_accept_names_no_columns(
    monkeypatch: pytest.MonkeyPatch, write_lines: Write
) -> None:
    class Picky(Format):
        def matches(self, row: Any) -> bool:
            return False

    picky = Picky("a picky format", frozenset({"a"}), lambda row, where: pytest.fail("no row matches"))
    table = Registry("format", "codepref.formats", FORMATS.builtin)
    monkeypatch.setattr(table, "names", lambda: ("picky", *FORMATS.names()))
    monkeypatch.setattr(table, "load", lambda name: picky if name == "picky" else FORMATS.load(name))
    monkeypatch.setattr("codepref.problems.formats.FORMATS", table)
    with pytest.raises(
        UserError, match="nearest is a picky format, which does not accept the row although the row has its columns"
    ):
        load_problems(write_lines([{"a": 1}]))


def test_a_full_disk_is_not_a_failed_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, config: str | None) -> Any:
        raise OSError(28, "No space left on device")

    fake_hub(monkeypatch, load)
    with pytest.raises(MachineError, match=r"cannot be kept on disk .*No space left on device.*Free some space"):
        load_problems("owner/name")


@pytest.mark.parametrize("atol", [10**400, -1, float("inf"), float("nan")])
def test_a_tolerance_that_no_float_can_be_is_a_bad_row(atol: Any) -> None:
    with pytest.raises(UserError, match="row 0: atol must be a finite number that is not negative"):
        problems_from_rows([{**PLUS, "atol": atol}])
