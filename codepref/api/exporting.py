"""`codepref.export` writes pairs, single answers and problems in the forms that other trainers take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from codepref.api.inputs import Pairs, Problems, Verdicts, load_problems, read_pair_records
from codepref.api.training import answers_of
from codepref.errors import UserError
from codepref.exports.base import ExportKind
from codepref.exports.write import Exported, layout_of, write_rows
from codepref.training.demonstrations import wanted_only
from codepref.training.examples import examples_from_pairs

if TYPE_CHECKING:
    from codepref.training.examples import Example

KINDS_OF: Mapping[str, tuple[ExportKind, ...]] = {
    "pairs": ("pairs", "kto", "sft"),
    "data": ("sft", "kto"),
    "verdicts": ("kto", "sft"),
    "problems": ("rl",),
}
"""The kinds of rows that each source can give. The first is the default, except for data; see `export`."""


def export(
    pairs: Pairs | None = None,
    *,
    to: str,
    out: str | Path,
    data: str | Path | Iterable[Mapping[str, Any]] | None = None,
    verdicts: Verdicts | None = None,
    problems: Problems | None = None,
    kind: ExportKind | None = None,
    strict: bool = False,
    seed: int = 0,
) -> Exported:
    """Write pairs, single answers or problems to the file `out`, in the form that a trainer takes without changes.

    Give exactly one of `pairs`, `data`, `verdicts` and `problems`, in any form that `codepref.train` takes.
    to: a name in `codepref.exports.TRAINERS`, such as "llamafactory".
    kind: "pairs", "kto" (single answers with a label), "sft" (demonstrations) or "rl" (problems). By default it
    is "pairs" for pairs, "kto" for verdicts and "rl" for problems. For data it is "kto" if an answer is unwanted, else
    "sft". Of pairs, "kto" takes both sides and "sft" the chosen sides. Both leave out an answer that is chosen
    and rejected in the pairs of a problem.
    strict: refuse a source of problems with a bad row. seed: the seed with which answers are drawn from verdicts.

    The lines for the trainer's configuration, if it needs any, are written beside `out`. The result has their paths,
    the number of rows, and the numbers of rows and answers that were left out, by reason.
    Raises UserError if not exactly one source is given, for an unknown trainer, for a kind that the source or the
    trainer does not take, for an ending of `out` that the trainer does not read, for a source that cannot be read, for
    an existing configuration file into which the lines cannot be merged, and if no row is left.
    """
    sources = {"pairs": pairs, "data": data, "verdicts": verdicts, "problems": problems}
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        raise UserError("give exactly one of pairs, data, verdicts and problems to export")
    (source,) = given
    if kind is not None and kind not in get_args(ExportKind):
        raise UserError(f"unknown kind {kind!r}; known: {', '.join(get_args(ExportKind))}")
    if kind is not None and kind not in KINDS_OF[source]:
        raise UserError(f"{source} can be exported as {' or '.join(KINDS_OF[source])}, not as {kind}")
    out, value = Path(out), sources[source]
    name = str(value) if isinstance(value, str | Path) else source
    if kind is not None or source != "data":
        layout = layout_of(to, kind or KINDS_OF[source][0], out)  # before the source is read
    if problems is not None:
        return write_rows(layout, load_problems(problems, strict=strict), out, name)
    if pairs is not None and kind in (None, "pairs"):
        return write_rows(layout, read_pair_records(pairs), out, name)
    answers = answers_of(data, verdicts, seed) if pairs is None else examples_from_pairs(read_pair_records(pairs))
    kind = kind or _kind_of(answers.examples, source)
    if kind == "sft":
        examples = [one for one in answers.examples if one.wanted]
        answers = wanted_only(answers) if source == "data" else replace(answers, examples=examples)
    result = write_rows(layout_of(to, kind, out), answers.examples, out, name)
    # the reasons of `dropped` begin with "answer left out: " or "solution left out: "
    dropped = {reason.partition("left out: ")[2] or reason: count for reason, count in answers.dropped.items()}
    return replace(result, left_out={**dropped, **result.left_out})


def _kind_of(examples: Sequence[Example], source: str) -> ExportKind:
    """Return "kto" for verdicts and for data with unwanted answers, else "sft"."""
    return "kto" if source == "verdicts" or not all(example.wanted for example in examples) else "sft"
