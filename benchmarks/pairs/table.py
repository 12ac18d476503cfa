"""Formats the results of `python -m benchmarks.pairs` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHARES = ("at 20%", "at 30%")
TITLES = {
    "codegen16b": "CodeGen-16B on HumanEval",
    "starter": "the starter on its own problems",
    "model": "{model} on MBPP+",
}
"""The key of a source -> its title."""


def table(results: Mapping[str, Any]) -> str:
    """Return a Markdown document. results: the content of pairs.json."""
    lines = ["# Pairs from self-written tests", "", results["command"], ""]
    lines += [
        'The columns "at 20%" and "at 30%" give the precision of the most confident pairs, with 95% intervals over '
        "problems. A perfect rule cannot be better than the share of draws with a right and a wrong solution, divided "
        "by 20% or 30%. ECE is the expected calibration error over ten bins. It is given only for the rule whose "
        "confidence is a probability. The confidence of the other rules only sorts pairs. In brackets: the ECE "
        "to expect of a calibrated confidence with so few problems, if the draws of a problem are wholly dependent.",
    ]
    for name, source in results["sources"].items():
        for setting, part in source.items():
            if setting != "problems":
                lines += ["", f"## {title(name, results)}, {_setting(setting)}", ""]
                lines += _rules(source["problems"], part)
    lines += ["", "## The form of `agreement`, with one source left out", ""]
    lines += _left_out(results)
    lines += ["", f"Choosing pairs from 8,200 solutions takes {results['selection_seconds']:.1f} s."]
    return "\n".join(lines) + "\n"


def docs_tables(results: Mapping[str, Any], unseen: Mapping[str, Any]) -> list[str]:
    """Return the tables that docs/explanation/pairing.md must hold. unseen: the content of pairs_unseen.json."""
    settings = [
        (name, setting) for name, source in results["sources"].items() for setting in source if setting != "problems"
    ]
    heads = [f"{title(name, results)}: {_setting(setting)}" for name, setting in settings]
    every = [f"| rule | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for rule in ("agreement", "codet", "b4", "dstc", "max-pass"):
        cells = [results["sources"][name][setting]["rules"][rule] for name, setting in settings]
        every.append(
            f"| `{rule}` | " + " | ".join(f"{one['at 20%'][0]:.2f}, {one['at 30%'][0]:.2f}" for one in cells) + " |"
        )
    without = ["| left out | setting | at 20% | at 30% | calibration error |", "|---|---|---|---|---|"]
    for name in results["sources"]:
        for setting, part in results["left out"][name]["settings"].items():
            cells = " | ".join(interval(part[share]) for share in SHARES)
            half = "a half of " if name == "codegen16b" else ""
            without.append(f"| {half}{title(name, results)} | {_setting(setting)} | {cells} | {_calibration(part)} |")
    small, large = unseen["10x50"], unseen["100x100"]
    other = [f"| rule | {_setting('10x50')} | {_setting('100x100')} |", "|---|---|---|"]
    for rule in small:
        cells = " | ".join(", ".join(f"{value:.2f}" for value in part[rule]) for part in (small, large))
        other.append(f"| {rule} | {cells} |")
    return ["\n".join(lines) for lines in (every, without, other)]


def title(name: str, results: Mapping[str, Any]) -> str:
    """Return the title of a source."""
    return TITLES[name].format(model=results["model"])


def _setting(setting: str) -> str:
    solutions, tests = setting.split("x")
    return f"{solutions} solutions and {tests} tests"


def _rules(problems: int, part: Mapping[str, Any]) -> list[str]:
    lines = [f"{problems} problems. {part['possible']:.0%} of the draws hold a right and a wrong solution.", ""]
    lines += ["| rule | pairs | right | at 20% | at 30% | ECE |", "|---|---|---|---|---|---|"]
    for rule, result in part["rules"].items():
        cells = [interval(result[share]) for share in SHARES]
        error = _calibration(result) if rule == "agreement" else "–"
        lines.append(f"| `{rule}` | {result['pairs']:,} | {result['right']:.2f} | {' | '.join(cells)} | {error} |")
    return lines


def _calibration(result: Mapping[str, Any]) -> str:
    return f"{result['ece']:.3f} ({result['ece floor']:.3f})"


def interval(values: list[float]) -> str:
    """Return a value with its interval."""
    value, low, high = values
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _left_out(results: Mapping[str, Any]) -> list[str]:
    facts = results["left out"]
    names = list(results["sources"])
    lines = [
        "The mean of the precisions at 20% and 30%, with the first setting of each source. The forms are sorted by "
        "simplicity, and use the same groups.",
        "",
        f"| form: choice; order | fitted constants | {' | '.join(title(name, results) for name in names)} |",
        "|---|---|" + "---|" * len(names),
    ]
    for form, constants in facts["forms"].items():
        cells = " | ".join(f"{facts['value'][name][form]:.3f}" for name in names)
        lines.append(f"| {form} | {constants} | {cells} |")
    lines += [
        "",
        "Of the forms that are within one standard error of the best on the other sources, the simplest is chosen, and "
        "then the factor of the odds with the smallest calibration error. The figures are those of the source that was "
        "left out. Intervals of halves are the smallest and the largest value of twenty halves. The list of forms was "
        "drawn up when earlier results on CodeGen-16B and the starter were known, so the figures are somewhat too "
        "good.",
        "",
        "| left out | setting | chosen form | factor | at 20% | at 30% | ECE |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in names:
        one = facts[name]
        for setting, part in one["settings"].items():
            cells = [interval(part[share]) for share in SHARES]
            chosen = f"{one['form']} | {one['odds']}"
            half = "half of " if name == "codegen16b" else ""
            lines.append(
                f"| {half}{title(name, results)} | {_setting(setting)} | {chosen} | {' | '.join(cells)} "
                f"| {_calibration(part)} |"
            )
    return lines
