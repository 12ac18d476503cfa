"""Old names of keyword arguments work, and each call with an old name gives a warning."""

import inspect

import pytest

import codepref
from codepref.config.aliases import renamed_arguments


@renamed_arguments(old="new")
def double(*, new: int) -> int:
    return 2 * new


def test_an_old_argument_name_works_and_warns_once() -> None:
    with pytest.warns(FutureWarning, match="double: `old` is now called `new`") as warned:
        assert double(old=4) == 8  # type: ignore[call-arg]
    assert len(warned) == 1


def test_the_new_argument_name_does_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    assert double(new=4) == 8
    assert not recwarn.list


@pytest.mark.parametrize("name", ["respond", "judge", "calibrate_judge", "grade"])
def test_functions_with_renamed_arguments_keep_their_signature_and_help(name: str) -> None:
    function = getattr(codepref, name)
    assert "log" in inspect.signature(function).parameters
    assert function.__name__ == name
    assert function.__doc__
