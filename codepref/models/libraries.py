"""Keeps the Hugging Face libraries quiet."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Switch off progress bars and most warnings of the Hugging Face libraries, since codepref shows its own progress.

    On exit, the log levels and the progress bars of each library are as before.
    """
    import datasets
    import transformers

    hub = transformers.logging.hf_hub_utils  # transformers switches the bars of huggingface_hub together with its own
    level = transformers.logging.get_verbosity()
    bars = transformers.logging.is_progress_bar_enabled()
    hub_bars, datasets_bars = not hub.are_progress_bars_disabled(), not datasets.are_progress_bars_disabled()
    loggers = [logging.getLogger(name) for name in ("trl", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        transformers.logging.set_verbosity(level)
        if hub_bars:
            hub.enable_progress_bars()
        if bars:
            transformers.logging.enable_progress_bar()
            if not hub_bars:
                hub.disable_progress_bars()
        for logger, before in zip(loggers, levels, strict=True):
            logger.setLevel(before)
        if datasets_bars:
            datasets.enable_progress_bars()
