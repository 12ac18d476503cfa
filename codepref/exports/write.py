"""Writes rows in the form of a trainer, and the lines for the user's configuration beside them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codepref.errors import UserError
from codepref.exports import TRAINERS, load_trainer
from codepref.exports.base import KIND_NAMES, LINES, Layout, Settings, Trainer, UnfitError
from codepref.exports.schema import schema_of
from codepref.storage.files import check_target, write_jsonl, write_parquet, write_text


@dataclass(frozen=True)
class Exported:
    """What `export` has written.

    out: the file of rows. rows: their number. left_out: the numbers of rows or answers that were left out, by reason.
    settings: the lines for the user's configuration, each with the path of its file.
    """

    out: Path
    rows: int
    left_out: dict[str, int]
    settings: list[tuple[Path, Settings]]


def layout_of(to: str, kind: str, out: Path) -> Layout:
    """Return the layout of a trainer for one kind of rows.

    Raises UserError for an unknown trainer, for a kind that it does not take, and for an `out` whose ending it does not
    read, or that cannot be a file.
    """
    trainer = load_trainer(to)
    if kind not in trainer.layouts:
        raise UserError(_refusal(to, trainer, kind))
    layout = trainer.layouts[kind]
    if out.suffix not in layout.endings:
        endings = " or ".join(layout.endings)
        raise UserError(f"{out}: {trainer.title} reads these rows from a file whose name ends in {endings}")
    check_target(out)
    return layout


def _refusal(to: str, trainer: Trainer, kind: str) -> str:
    reason = f", since {trainer.refusals[kind]}" if kind in trainer.refusals else ""
    others = [name for name in TRAINERS.builtin if kind in load_trainer(name).layouts]
    kinds = ", ".join(f"{KIND_NAMES[name]} (kind {name})" for name in trainer.layouts)
    return (
        f"{trainer.title} takes no {KIND_NAMES[kind]}{reason}. --to {to} writes {kinds}. These trainers take "
        f"{KIND_NAMES[kind]}: {', '.join(others)}"
    )


def write_rows(layout: Layout, items: Iterable[Any], out: Path, source: str) -> Exported:
    """Write Pairs, Examples or Problems, and the settings beside them. Return what was written.

    An item is left out and counted if the trainer would drop or misread it, or if a text in it holds a lone surrogate.
    source: the name of the items' source. Raises UserError if no item is left, and for settings that cannot be merged
    into a file that is there already. Raises what `atomic_open` raises.
    """
    left_out: Counter[str] = Counter()
    count = 0
    settings = [_merged(out.absolute().with_name(one.name), one) for one in layout.settings(out, source)]

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal count
        for item in items:
            try:
                row = layout.row(item)
                _check_text(row)
            except UnfitError as error:
                left_out[str(error)] += 1
                continue
            if isinstance(row.get("extra_info"), dict):
                row["extra_info"]["index"] = count
            count += 1
            yield row
        if not count:
            reasons = "".join(f"\n  {number:,}: {reason}" for reason, number in left_out.items())
            raise UserError(f"{source} holds nothing that can be exported" + (f":{reasons}" if reasons else ""))

    if out.suffix == LINES:
        write_jsonl(out, rows())
    else:
        write_parquet(out, rows(), schema_of(layout.columns))
    for path, one in settings:
        write_text(path, one.text)
    return Exported(out, count, dict(left_out.most_common()), settings)


def _merged(path: Path, settings: Settings) -> tuple[Path, Settings]:
    """Return a path and the settings to write there.

    If the file exists and the settings have a `merge`, their text is what `merge` makes of the content of the file.
    """
    if settings.merge is None or not path.exists():
        return path, settings
    return path, replace(settings, text=settings.merge(path.read_bytes().decode("utf-8", "replace")))


def _check_text(row: dict[str, Any]) -> None:
    """Raise UnfitError for a row with a lone surrogate.

    One such row would make a whole file of JSON lines unreadable, and a file of Parquet could not be written.
    """
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UnfitError("a text holds half a character (a lone surrogate)") from None
