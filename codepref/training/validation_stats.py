"""Statistics of a validated training: the best step, when to stop, and what to warn of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codepref.evaluation.comparison import Comparison, compare_values
from codepref.evaluation.estimators import wilson_interval

SMOOTHED = 3
"""Neighbouring probes that count as one. With two, chance ended trainings that still gained."""
FALLING_NATS = 0.1
"""Nats that the mean log-probability of a chosen token may fall before a warning: each token a tenth less likely."""
SATURATED = 0.99
"""Reward accuracy at which preference training has nothing left to learn."""
LONGER = 1.5
"""Factor by which answers may grow before a warning."""
REPEATED = 0.1
"""Rise of the share of repetitive answers before a warning."""
UNPARSABLE = 0.05
"""Rise of the share of answers without code, and of answers cut at the token limit, before a warning."""


@dataclass(frozen=True)
class Probe:
    """What the model of one step does with the validation problems.

    passed_P: the share of its samples that pass, by problem. unparsable: the share of answers without code that parses.
    unfinished: the share cut at the token limit. characters: the mean length of an answer. repeated: the share of
    answers that repeat one line. chosen_logp: the mean log-probability of a token, in nats, of the same chosen answers
    in every probe. entropy: the model's mean entropy at these tokens, in nats, or None where TRL computes none.
    """

    step: int
    passed_P: tuple[float, ...]
    unparsable: float
    unfinished: float
    characters: float
    repeated: float
    chosen_logp: float
    entropy: float | None = None

    @property
    def pass_rate(self) -> float:
        """pass@1 of the samples."""
        return sum(self.passed_P) / len(self.passed_P)


def against_start(start: Probe, probe: Probe, seed: int = 0) -> Comparison:
    """The paired difference between a probe and the start model, over the problems."""
    return compare_values("pass@1", start.passed_P, probe.passed_P, seed=seed)


def best_step(probes: Sequence[Probe]) -> int:
    """The trained step whose pass@1 has the highest lower bound (95%, over problems); the latest of equal ones.

    Each probe is averaged by problem with up to SMOOTHED - 1 trained probes before it: a single probe is noisy, and the
    best of eight noisy probes is the luckiest. The bound is of pass@1 itself. A bound of the difference to the start
    would favour early steps, since its interval widens as the model moves away from the start.
    probes: in order. The first is of the start model and cannot be the best; the gate decides on other problems whether
    the trained model is better than the start. Raises ValueError when no trained model was probed.
    """
    if len(probes) < 2:
        raise ValueError("no trained model was probed")
    trained = probes[1:]
    smooth = [_averaged(trained[max(0, at + 1 - SMOOTHED) : at + 1]) for at in range(len(trained))]
    return max(smooth, key=lambda probe: (_lower_bound(probe), probe.step)).step


def _lower_bound(probe: Probe) -> float:
    """Wilson's lower bound with each problem as one trial, whatever its number of samples.

    All probes have the same problems, so the bound depends on pass@1 alone. It is rounded, so that equal shares compare
    as equal.
    """
    return round(wilson_interval(probe.pass_rate, len(probe.passed_P))[0], 9)


def _averaged(probes: Sequence[Probe]) -> Probe:
    means = [sum(values) / len(values) for values in zip(*(probe.passed_P for probe in probes), strict=True)]
    return replace(probes[-1], passed_P=tuple(means))


def stop_reason(probes: Sequence[Probe], patience: int, seed: int = 0) -> str:
    """Why training should stop now, or "".

    It stops when the last two probes are both significantly worse than the start (upper bound below 0; a single probe
    of many is low by chance), and when `patience` probes have passed since the best one. patience 0 waits for ever.
    """
    if len(probes) < 3:
        return ""
    start, *trained = probes
    if all(against_start(start, probe, seed).high < 0 for probe in trained[-2:]):
        return f"worse than the start on validation problems at steps {trained[-2].step} and {trained[-1].step}"
    best = best_step(probes)
    since = sum(probe.step > best for probe in trained)
    return f"no better since step {best}" if patience and since >= patience else ""


def warnings(curve: Sequence[Mapping[str, float]], probes: Sequence[Probe] = ()) -> list[str]:
    """One text for each thing that a user should look at.

    curve: rows of `codepref.training.curve.training_curve`. The likelihood of chosen answers is taken from the probes,
    or from the curve when there are no probes.
    """
    texts = _probe_warnings(probes[0], probes[-1]) if len(probes) > 1 else []
    accuracies = [row["accuracy"] for row in curve if "accuracy" in row]
    late = accuracies[len(accuracies) // 2 :]
    if len(late) >= 3 and min(late) >= SATURATED:
        texts.append("reward accuracy is 1.00 for the second half of the training: fewer epochs may be enough")
    logps = [row["chosen_logp"] for row in curve if "chosen_logp" in row]
    if not probes and len(logps) >= 8:
        quarter = len(logps) // 4
        first, last = sum(logps[:quarter]) / quarter, sum(logps[-quarter:]) / quarter
        if last < first - max(5.0, 0.1 * abs(first)):
            texts.append(f"chosen answers became less likely, from {first:.0f} to {last:.0f} nats an answer")
    return texts


def _probe_warnings(start: Probe, end: Probe) -> list[str]:
    texts = []
    fall = start.chosen_logp - end.chosen_logp
    if fall > FALLING_NATS:
        texts.append(
            f"chosen answers became less likely by {fall:.2f} nats a token: raise training.chosen_weight or beta, "
            "or lower the learning rate"
        )
    if start.characters and end.characters > LONGER * start.characters:
        texts.append(f"answers grew from {start.characters:.0f} to {end.characters:.0f} characters")
    for what, now, before in (
        ("hold no code that parses", end.unparsable, start.unparsable),
        ("are cut at the token limit", end.unfinished, start.unfinished),
    ):
        if now > before + UNPARSABLE:
            texts.append(f"{now:.0%} of the answers {what}, {before:.0%} at the start")
    if end.repeated > start.repeated + REPEATED:
        texts.append(f"{end.repeated:.0%} of the answers repeat themselves, {start.repeated:.0%} at the start")
    compared = against_start(start, end)
    if compared.high < 0:
        texts.append(f"pass@1 on validation problems fell by {-100 * compared.difference:.1f} points")
    return texts


def repeats_itself(text: str) -> bool:
    """Whether one line occurs more than five times and is more than half of the lines. Blank lines do not count."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    most = max((lines.count(line) for line in set(lines)), default=0)
    return most > 5 and 2 * most > len(lines)


def probe_row(start: Probe, probe: Probe, seed: int = 0) -> dict[str, Any]:
    """A probe in plain values for files and reports: totals over the problems, and the difference to the start."""
    compared = against_start(start, probe, seed)
    interval = {"low": compared.low, "high": compared.high} if probe is not start else {"low": 0.0, "high": 0.0}
    row = {name: getattr(probe, name) for name in Probe.__dataclass_fields__ if name != "passed_P"}
    return row | {"pass_rate": probe.pass_rate, "difference": compared.difference} | interval
