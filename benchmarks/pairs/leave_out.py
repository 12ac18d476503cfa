"""Chooses the form of `agreement`, and the constant of its confidence, with one source left out at a time.

Of the forms that are within one standard error of the best on the other sources, the simplest is chosen. The standard
error is that of the difference to the best form, by a bootstrap over problems. The figures of the source that was left
out then say what to expect on problems that did not take part in the choice. CodeGen-16B's problems are halved at
random, several times. One half counts as a source, and the other one is left out. When another source is left out, both
halves count as sources.

The list of forms was drawn up after earlier results on CodeGen-16B's problems and on the starter's were known. So the
figures of a left-out source are still somewhat too good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.pairs.forms import COLUMNS, FORMS, MEMBERS, RELATIVE, RIGHT, SOLUTIONS, TRUST, Answers, form_answers
from benchmarks.pairs.measure import SHARES, Answer, calibration_floor, figures, precision
from benchmarks.pairs.sources import Source
from codepref.evaluation.calibration import expected_calibration_error
from codepref.pairing.rules.agreement import confidence_of

ODDS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
"""The values of the constant of the confidence that are tried; see `confidence_of`."""
RESAMPLES = 200
SPLITS = 10
"""The number of times that the problems are halved at random."""
HALVED = "codegen16b"


def left_out(sources: Sequence[Source]) -> dict[str, Any]:
    """Return, for each source, what the other sources choose, and the figures of this choice on the source.

    The choice uses the first setting of each source. The figures are those of this setting, and for the halved source
    those of all its settings. The result also holds the forms, their values on each source, and what all sources choose
    together.
    """
    answers = {one.name: [form_answers(one, setting) for setting in one.settings] for one in sources}
    result: dict[str, Any] = {"forms": {form.name: form.constants for form in FORMS}}
    result["value"] = {
        name: {form.name: value(tables[0], form.name) for form in FORMS} for name, tables in answers.items()
    }
    form, odds = choose([tables[0] for tables in answers.values()])
    result["all sources"] = {"form": form, "odds": f"{odds:g}"}
    for source in sources:
        others = [tables[0] for name, tables in answers.items() if name != source.name]
        if source.name == HALVED:
            result[source.name] = _halves(answers[source.name], others, source)
        else:
            whole = [part(answers[HALVED][0], half) for half in _halved(answers[HALVED][0], 0)]
            form, odds = choose([*whole, *[one for one in others if one is not answers[HALVED][0]]])
            setting = "{}x{}".format(*source.settings[0])
            found = _figures(answers[source.name][0], form, odds)
            result[source.name] = {"form": form, "odds": f"{odds:g}", "settings": {setting: found}}
    return result


def _halves(tables: Sequence[Answers], others: Sequence[Answers], source: Source) -> dict[str, Any]:
    """Return the figures of the left-out halves, and how often each form and each constant was chosen.

    The calibration errors are means over SPLITS x 2 halves. A precision is [mean, lowest, highest] over them.
    """
    forms: Counter[str] = Counter()
    constants: Counter[str] = Counter()
    figures_of: dict[str, list[dict[str, Any]]] = {}
    for split in range(SPLITS):
        halves = _halved(tables[0], split)
        for known, unseen in (halves, halves[::-1]):
            form, odds = choose([part(tables[0], known), *others])
            forms[form] += 1
            constants[f"{odds:g}"] += 1
            for setting, table in zip(source.settings, tables, strict=True):
                rows = figures_of.setdefault(f"{setting[0]}x{setting[1]}", [])
                rows.append(_figures(part(table, unseen), form, odds))
    result: dict[str, Any] = {"form": _counted(forms), "odds": _counted(constants), "settings": {}}
    for setting_name, rows in figures_of.items():
        means: dict[str, Any] = {key: float(np.mean([row[key] for row in rows])) for key in ("ece", "ece floor")}
        for share in SHARES:
            key = f"at {share:.0%}"
            values = [row[key][0] for row in rows]
            means[key] = [float(np.mean(values)), float(np.min(values)), float(np.max(values))]
        result["settings"][setting_name] = means
    return result


def _counted(counts: Counter[str]) -> str:
    """Return the names of what was chosen. If there are several, the number of choices follows each name."""
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{name} ({count}x)" for name, count in counts.most_common())


def _halved(table: Answers, seed: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the indices of the problems in two random halves."""
    problems = len(next(iter(table.values())))
    order = np.random.default_rng(seed).permutation(problems)
    return np.sort(order[: problems // 2]), np.sort(order[problems // 2 :])


def part(table: Answers, problems: npt.NDArray[np.intp]) -> Answers:
    """Return the answers of some of the problems."""
    return {name: answers[problems] for name, answers in table.items()}


def choose(tables: Sequence[Answers]) -> tuple[str, float]:
    """Return the form that these tables choose, and the constant of its confidence. Each table counts the same."""
    form = chosen_form(tables)
    return form, min(ODDS, key=lambda odds: np.mean([calibration_error(table, form, odds) for table in tables]))


def value(table: Answers, form: str) -> float:
    """Return the mean of a form's precisions at SHARES."""
    rows = table[form].reshape(-1, COLUMNS)
    return float(np.mean([precision(rows[:, TRUST], rows[:, RIGHT] > 0, share) for share in SHARES]))


def chosen_form(tables: Sequence[Answers]) -> str:
    """Return the simplest form within one standard error of the best form (see the docstring of the module)."""
    generator = np.random.default_rng(0)
    names = [form.name for form in FORMS]
    means = _means(tables)
    best = max(names, key=lambda name: means[name])
    resampled = [
        _means([part(table, generator.integers(len(table[best]), size=len(table[best]))) for table in tables])
        for _ in range(RESAMPLES)
    ]

    def within_noise(name: str) -> bool:
        error = np.std([one[best] - one[name] for one in resampled])
        return bool(means[best] - means[name] <= error)

    return next(name for name in names if within_noise(name))


def _means(tables: Sequence[Answers]) -> Mapping[str, float]:
    return {form.name: float(np.mean([value(table, form.name) for table in tables])) for form in FORMS}


def _confident(table: Answers, form: str, odds: float) -> list[Answer]:
    """Return the answers of a form.

    Each has the confidence that the formula of the rule `agreement` gives with the constant `odds`, or -1 if the form
    gives no pair.
    """
    return [
        Answer(
            confidence_of(int(row[MEMBERS]), int(row[SOLUTIONS]), row[RELATIVE], odds) if row[TRUST] >= 0 else -1.0,
            row[RIGHT] > 0,
        )
        for row in table[form].reshape(-1, COLUMNS)
    ]


def calibration_error(table: Answers, form: str, odds: float) -> float:
    """Return the expected calibration error of a form's pairs, with the confidence that the constant `odds` gives."""
    pairs = [answer for answer in _confident(table, form, odds) if answer.confidence >= 0]
    right = np.array([answer.right for answer in pairs], dtype=np.bool_)
    return expected_calibration_error(np.array([answer.confidence for answer in pairs]), right)


def _figures(table: Answers, form: str, odds: float) -> dict[str, Any]:
    """Return the figures of a form on a source that did not choose it. The form's own order sorts the pairs."""
    rows = table[form].reshape(-1, COLUMNS)
    sorted_by_trust = [Answer(row[TRUST], row[RIGHT] > 0) for row in rows]
    found = figures(sorted_by_trust, draws=table[form].shape[1])
    confidence = np.array([answer.confidence for answer in _confident(table, form, odds)])
    floor = calibration_floor(confidence.reshape(table[form].shape[:2]))
    return found | {"ece": calibration_error(table, form, odds), "ece floor": floor}
