"""Loading of models: what the libraries show meanwhile and afterwards."""

from collections.abc import Iterator
from itertools import product

import datasets
import pytest
import transformers

from codepref.models import quiet

HUB = transformers.logging.hf_hub_utils


def switch(*, transformers_on: bool, hub_on: bool, datasets_on: bool) -> None:
    (transformers.logging.enable_progress_bar if transformers_on else transformers.logging.disable_progress_bar)()
    (HUB.enable_progress_bars if hub_on else HUB.disable_progress_bars)()
    (datasets.enable_progress_bars if datasets_on else datasets.disable_progress_bars)()


def bars() -> tuple[bool, bool, bool]:
    """Whether the bars of transformers, huggingface_hub and datasets are on."""
    return (
        transformers.logging.is_progress_bar_enabled(),
        not HUB.are_progress_bars_disabled(),
        not datasets.are_progress_bars_disabled(),
    )


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    before = bars()
    yield
    switch(transformers_on=before[0], hub_on=before[1], datasets_on=before[2])


@pytest.mark.parametrize("state", list(product([False, True], repeat=3)))
def test_quiet_leaves_each_progress_bar_as_the_user_set_it(state: tuple[bool, bool, bool]) -> None:
    switch(transformers_on=state[0], hub_on=state[1], datasets_on=state[2])
    with quiet():
        assert bars() == (False, False, False)
    assert bars() == state


def test_quiet_restores_the_progress_bars_after_an_error() -> None:
    switch(transformers_on=True, hub_on=True, datasets_on=True)
    with pytest.raises(ValueError, match="wrong"), quiet():
        raise ValueError("wrong")
    assert bars() == (True, True, True)
