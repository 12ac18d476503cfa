"""Registries: built-in entries, and entries of other packages, which the tests put on sys.path."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codepref.errors import UserError
from codepref.registry import Registry

GROUP = "codepref.test_things"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a package: it puts a folder with a module and pip's metadata on sys.path."""

    def install(package: str, code: str, **entries: str) -> None:
        folder = tmp_path / package
        metadata = folder / f"{package}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"{package}.py").write_text(code)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        points = "".join(f"{name} = {package}:{attribute}\n" for name, attribute in entries.items())
        (metadata / "entry_points.txt").write_text(f"[{GROUP}]\n{points}")
        monkeypatch.syspath_prepend(str(folder))

    return install


def table(expects: type | None = None) -> Registry[object]:
    return Registry("thing", GROUP, {"encode": "json:dumps", "decode": "json:loads"}, expects)


def test_builtin_entries_are_loaded_by_name() -> None:
    things = table()
    assert things.names() == ("encode", "decode")
    assert "encode" in things
    assert things.mistake("encode") == ""
    assert things.load("encode") is json.dumps


def test_an_entry_is_imported_when_it_is_first_loaded() -> None:
    things: Registry[object] = Registry("thing", GROUP, {"missing": "codepref.no_such_module:THING"})
    assert things.mistake("missing") == ""
    with pytest.raises(ModuleNotFoundError):
        things.load("missing")


def test_entries_of_other_packages_come_after_builtin_ones(install: Install) -> None:
    install("acme", "FIRST, SECOND = 1, 2", zebra="FIRST", ant="SECOND")
    things = table()
    assert things.names() == ("encode", "decode", "ant", "zebra")
    assert (things.load("zebra"), things.load("ant")) == (1, 2)


def test_an_unknown_name_lists_the_known_names_and_the_nearest_one(install: Install) -> None:
    install("acme", "FIRST = 1", zebra="FIRST")
    things = table()
    assert "encod" not in things
    with pytest.raises(
        UserError, match=r"^unknown thing 'encod' \(did you mean 'encode'\?\); known: encode, decode, z"
    ):
        things.load("encod")
    assert things.mistake("x") == "unknown thing 'x'; known: encode, decode, zebra"


def test_a_name_of_codepref_cannot_be_registered_by_another_package(install: Install) -> None:
    install("acme", "FIRST = 1", encode="FIRST")
    with pytest.raises(UserError, match=r"^thing 'encode' is registered by codepref and the package acme .*Uninstall"):
        table().load("encode")
    assert table().load("decode") is json.loads


def test_a_name_that_two_packages_register_is_refused(install: Install) -> None:
    install("acme", "FIRST = 1", zebra="FIRST")
    install("bolt", "FIRST = 1", zebra="FIRST")
    with pytest.raises(UserError, match="registered by the package acme and the package bolt"):
        table().load("zebra")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("OTHER = 1", "AttributeError"),
        ("def (", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_an_entry_that_cannot_be_imported_names_its_package(install: Install, code: str, reason: str) -> None:
    install("acme", code, zebra="FIRST")
    with pytest.raises(
        UserError, match=rf"thing 'zebra' of the package acme \(acme:FIRST\) cannot be imported: {reason}"
    ):
        table().load("zebra")
    sys.modules.pop("acme", None)


def test_an_entry_of_the_wrong_type_is_refused(install: Install) -> None:
    install("acme", "FIRST = 1", zebra="FIRST")
    with pytest.raises(UserError, match="is of type int, and must be of type dict"):
        table(expects=dict).load("zebra")
    assert table(expects=int).load("zebra") == 1


@pytest.fixture(autouse=True)
def forget_packages() -> None:
    for name in ("acme", "bolt"):
        sys.modules.pop(name, None)


def test_tables_of_formats_and_engines_import_nothing_heavy() -> None:
    code = (
        "import sys\nfrom codepref.problems.formats import FORMATS\nfrom codepref.sampling.engines import ENGINES\n"
        "FORMATS.names(), ENGINES.names()\n"
        "print(sorted({'torch', 'transformers', 'pyarrow', 'datasets'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_builtin_format_and_engine_can_be_loaded() -> None:
    from codepref.problems.formats import FORMATS
    from codepref.sampling.engines import ENGINES

    for known in (FORMATS, ENGINES):
        for name in known.builtin:
            assert known.load(name) is not None
