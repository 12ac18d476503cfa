"""What a training looks like from outside: probes on validation problems, and what to warn of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codepref.evaluation.comparison import Comparison, compare_values
from codepref.evaluation.estimators import wilson_interval

SMOOTHED = 3
"""Neighbouring probes that are looked at as one. With two, trainings that still gained were ended by chance."""
FALLING_NATS = 0.1
"""Nats a token that chosen answers may lose before it is told: each token a tenth less likely."""
SATURATED = 0.99
LONGER = 1.5
REPEATED = 0.1
UNPARSABLE = 0.05
"""Share of answers without code, or cut at the token limit, by which it may rise."""


@dataclass(frozen=True)
class Probe:
    """What a model at one step does with the validation problems.

    passed_P: share of its samples that pass, by problem. unparsable: share of answers without code that parses.
    unfinished: share cut at the token limit. characters: mean length of an answer. repeated: share of answers that say
    one line over and over. chosen_logp: mean log-probability a token, in nats, of the same chosen answers in every
    probe; entropy: of the model on their tokens, in nats, or None where the trainer does not tell it.
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
    """The paired difference of a probe to the model at the start, over the problems."""
    return compare_values("pass@1", start.passed_P, probe.passed_P, seed=seed)


def best_step(probes: Sequence[Probe]) -> int:
    """The trained step whose pass@1 has the highest lower bound (95%, over problems); the later one of equals.

    Each probe counts together with up to SMOOTHED - 1 trained ones before it, a mean by problem: one probe is noisy,
    and the best of eight noisy ones is the luckiest. The bound is of pass@1 itself: that of its difference to the start
    would favour early steps, since the interval widens the further a model is from the start.
    probes: in order, the first of the model at the start, which is no candidate: whether what was trained is better
    than it is for the gate to say, on other problems. Raises ValueError without a probe of a trained model.
    """
    if len(probes) < 2:
        raise ValueError("no trained model was probed")
    trained = probes[1:]
    smooth = [_joined(trained[max(0, at + 1 - SMOOTHED) : at + 1]) for at in range(len(trained))]
    return max(smooth, key=lambda probe: (_lower_bound(probe), probe.step)).step


def _lower_bound(probe: Probe) -> float:
    """Wilson's, with a problem as one trial, whatever its samples: all probes are of as many problems, so that neither
    chance in their spread nor a mean of several models makes one of them look surer. Rounded: equal shares are equal.
    """
    return round(wilson_interval(probe.pass_rate, len(probe.passed_P))[0], 9)


def _joined(probes: Sequence[Probe]) -> Probe:
    means = [sum(values) / len(values) for values in zip(*(probe.passed_P for probe in probes), strict=True)]
    return replace(probes[-1], passed_P=tuple(means))


def stop_reason(probes: Sequence[Probe], patience: int, seed: int = 0) -> str:
    """Why training should stop now, or "".

    It stops when the newest model is shown to be worse than the start (upper bound below 0, twice in a row: one probe
    of many is low by chance), and when `patience` probes have passed since the best one (0: never).
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
    """A sentence for each thing that a user would want to look at.

    curve: rows of `codepref.training.curve.training_curve`. Without probes, what the trainer's own log shows.
    """
    found = []
    if len(probes) > 1:
        start, end = probes[0], probes[-1]
        fall = start.chosen_logp - end.chosen_logp
        if fall > FALLING_NATS:
            found.append(
                f"chosen answers became less likely by {fall:.2f} nats a token: raise training.chosen_weight or beta, "
                "or lower the learning rate"
            )
        if start.characters and end.characters > LONGER * start.characters:
            found.append(f"answers grew from {start.characters:.0f} to {end.characters:.0f} characters")
        for name, now, before in (
            ("hold no code that parses", end.unparsable, start.unparsable),
            ("are cut at the token limit", end.unfinished, start.unfinished),
        ):
            if now > before + UNPARSABLE:
                found.append(f"{now:.0%} of the answers {name}, {before:.0%} at the start")
        if end.repeated > start.repeated + REPEATED:
            found.append(f"{end.repeated:.0%} of the answers repeat themselves, {start.repeated:.0%} at the start")
        last = against_start(start, end)
        if last.high < 0:
            found.append(f"pass@1 on validation problems fell by {-100 * last.difference:.1f} points")
    accuracies = [row["accuracy"] for row in curve if "accuracy" in row]
    late = accuracies[len(accuracies) // 2 :]
    if len(late) >= 3 and min(late) >= SATURATED:
        found.append("reward accuracy is 1.00 for half of the training: it says nothing any more, fewer epochs may do")
    logps = [row["chosen_logp"] for row in curve if "chosen_logp" in row]
    if not probes and len(logps) >= 8:
        quarter = len(logps) // 4
        first, final = sum(logps[:quarter]) / quarter, sum(logps[-quarter:]) / quarter
        if final < first - max(5.0, 0.1 * abs(first)):
            found.append(f"chosen answers became less likely, from {first:.0f} to {final:.0f} nats an answer")
    return found


def repeats_itself(text: str) -> bool:
    """Whether one line of an answer, blank ones aside, stands there more than five times and makes half of it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    most = max((lines.count(line) for line in set(lines)), default=0)
    return most > 5 and 2 * most > len(lines)


def probe_row(start: Probe, probe: Probe, seed: int = 0) -> dict[str, Any]:
    """A probe in plain values for files and reports, without the problems."""
    compared = against_start(start, probe, seed)
    ends = {"low": compared.low, "high": compared.high} if probe is not start else {"low": 0.0, "high": 0.0}
    row = {name: getattr(probe, name) for name in Probe.__dataclass_fields__ if name != "passed_P"}
    return row | {"pass_rate": probe.pass_rate, "difference": compared.difference} | ends
