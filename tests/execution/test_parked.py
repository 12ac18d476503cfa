"""Tests of submodules that a zygote has loaded before a program imports them."""

from __future__ import annotations

import importlib
import importlib.util
import sys

import pytest

from codepref.execution.sandbox.confinement.parked import ParkedModules, park


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package `garage` whose module `car` imports its module `wheel`.

    Yield the file to which each run of `car` adds a character.
    """
    folder = tmp_path / "garage"
    folder.mkdir()
    (folder / "__init__.py").write_text("from . import door\n")
    (folder / "door.py").write_text("OPEN = True\n")
    (folder / "wheel.py").write_text("class Wheel:\n    pass\n")
    runs = tmp_path / "runs"
    (folder / "car.py").write_text(
        f"from garage.wheel import Wheel\nwith open({str(runs)!r}, 'a') as file:\n    file.write('x')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield runs
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, ParkedModules)]
    for name in [name for name in sys.modules if name.partition(".")[0] == "garage"]:
        del sys.modules[name]


def test_a_parked_submodule_must_be_imported_to_be_seen(package):
    import garage

    park("garage.car")
    assert not hasattr(garage, "car")
    assert not {"garage.car", "garage.wheel"} & set(sys.modules)
    assert garage.door.OPEN, "a submodule that the package itself imports stays"


def test_an_import_returns_the_parked_module_without_running_it_again(package):
    park("garage.car")
    car = importlib.import_module("garage.car")
    garage = sys.modules["garage"]
    assert package.read_text() == "x"
    assert garage.car is car
    assert car.__spec__.loader is car.__loader__
    assert car.__spec__.origin.endswith("car.py")


@pytest.mark.parametrize("first", ["garage.car", "garage.wheel"])
def test_all_parked_modules_come_back_together(package, first):
    """If only one module came back, a second copy of `Wheel` would exist, and `isinstance` would fail."""
    park("garage.car")
    importlib.import_module(first)
    assert importlib.import_module("garage.car").Wheel is importlib.import_module("garage.wheel").Wheel
    assert package.read_text() == "x"


def test_an_import_that_fails_parks_nothing(package, tmp_path):
    (tmp_path / "garage" / "broken.py").write_text("import garage.wheel\nraise ImportError('no')\n")
    finders = list(sys.meta_path)
    with pytest.raises(ImportError, match="no"):
        park("garage.broken")
    assert sys.meta_path == finders
    assert "garage.wheel" in sys.modules


def test_a_module_that_is_loaded_already_stays(package):
    car = importlib.import_module("garage.car")
    park("garage.car")
    assert sys.modules["garage.car"] is car


def test_looking_for_a_parked_module_imports_nothing(package):
    park("garage.car")
    assert importlib.util.find_spec("garage.car") is not None
    assert not hasattr(sys.modules["garage"], "car")
    importlib.import_module("garage.car")
    assert package.read_text() == "x"
