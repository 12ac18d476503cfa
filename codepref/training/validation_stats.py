"""Statistics of the probes of a training: the best step, the reason to stop early, and the warnings. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codepref.evaluation.comparison import Comparison, compare_values
from codepref.evaluation.estimators import wilson_interval

SMOOTHED = 3
"""The largest number of successive probes that are averaged. With an average of two, some trainings ended early
although they still improved."""
FALLING_NATS = 0.1
"""The fall of a chosen token's mean log-probability, in nats, beyond which there is a warning. A fall of 0.1 makes a
token about 10% less likely."""
SATURATED = 0.99
"""There is a warning if at least three reward accuracies are logged in the second half of a training and none is lower
than this value. Preference training then has almost nothing left to learn."""
LONGER = 1.5
"""The growth of answers, as a factor, beyond which there is a warning."""
REPEATED = 0.1
"""The rise of the share of answers that repeat themselves beyond which there is a warning."""
UNPARSABLE = 0.05
"""The rise of the share of answers without code, or of answers cut at the limit, beyond which there is a warning."""


@dataclass(frozen=True)
class Probe:
    """The measurements of the model at one step: on the validation problems, and on the tracked answers.

    The tracked answers are the first wanted answers of the training rows (see `TrackedAnswers`).

    passed_P: for each problem, the share of samples that are correct, among those whose correctness is known; 0 if it
    is known for none. unparsable: the share of answers without code that Python can compile. unfinished: the share of
    answers that were cut at the token limit. characters: the mean length of an answer. repeated: the share of answers
    for which `repeats_itself` is true. chosen_logp: the mean log-probability of a token of the tracked answers, in
    nats; 0 when there are none. entropy: the model's mean entropy at these tokens, in nats, or None when it is not
    computed.
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
        """The mean of `passed_P`, which estimates pass@1."""
        return sum(self.passed_P) / len(self.passed_P)


def against_start(start: Probe, probe: Probe, seed: int = 0) -> Comparison:
    """Return the difference in pass@1 between a probe and the probe of the start model, paired by problem."""
    return compare_values("pass@1", start.passed_P, probe.passed_P, seed=seed)


def best_step(probes: Sequence[Probe]) -> int:
    """Return the step whose averaged pass@1 has the highest lower bound, and of equal bounds the latest step.

    Each probe is averaged by problem with up to SMOOTHED - 1 probes of the trained model before it, since the highest
    of several noisy values is often high by chance. The bound is that of the 95% interval of pass@1 over problems. The
    bound of the difference to the start model would favour early steps, since its interval widens as the model moves
    away from the start model.

    probes: the probes in order. The first one is of the start model. It is not averaged with others and cannot be the
    best: the gate decides on other problems whether the trained model is promoted. Raises ValueError when there is no
    probe of a trained model.
    """
    if len(probes) < 2:
        raise ValueError("no trained model was probed")
    trained = probes[1:]
    smooth = [_averaged(trained[max(0, at + 1 - SMOOTHED) : at + 1]) for at in range(len(trained))]
    return max(smooth, key=lambda probe: (_lower_bound(probe), probe.step)).step


def _lower_bound(probe: Probe) -> float:
    """Return the lower bound of Wilson's interval for pass@1. Each problem is one trial, however many samples it has.

    All probes have the same problems, so the bound depends only on pass@1. It is rounded, so that equal values of
    pass@1 have equal bounds.
    """
    return round(wilson_interval(probe.pass_rate, len(probe.passed_P))[0], 9)


def _averaged(probes: Sequence[Probe]) -> Probe:
    means = [sum(values) / len(values) for values in zip(*(probe.passed_P for probe in probes), strict=True)]
    return replace(probes[-1], passed_P=tuple(means))


def stop_reason(probes: Sequence[Probe], patience: int, seed: int = 0) -> str:
    """Return why the training should stop now, or "" when it should continue.

    A training stops for either of two reasons, and only after at least two probes of the trained model. The first
    reason is that the last two probes are both significantly worse than the start model: the upper bound of the
    difference is below 0. One such probe is not enough, since one of many probes is often low by chance. The second
    reason is that at least `patience` probes came after the best step. A patience of 0 turns the second reason off.
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
    """Return the warnings about a training.

    curve: rows of `codepref.training.curve.training_curve`. Whether chosen answers became less likely is read from the
    probes, or from the curve when there are no probes.
    """
    texts = _probe_warnings(probes[0], probes[-1]) if len(probes) > 1 else []
    accuracies = [row["accuracy"] for row in curve if "accuracy" in row]
    late = accuracies[len(accuracies) // 2 :]
    if len(late) >= 3 and min(late) >= SATURATED:
        texts.append(
            f"reward accuracy is at least {SATURATED} in the second half of the training: fewer epochs may be enough"
        )
    logps = [row["chosen_logp"] for row in curve if "chosen_logp" in row]
    if not probes and len(logps) >= 8:
        quarter = len(logps) // 4
        first, last = sum(logps[:quarter]) / quarter, sum(logps[-quarter:]) / quarter
        if last < first - max(5.0, 0.1 * abs(first)):
            texts.append(
                f"chosen answers became less likely: their log-probability fell from {first:.0f} to {last:.0f} nats"
            )
    return texts


def _probe_warnings(start: Probe, end: Probe) -> list[str]:
    texts = []
    fall = start.chosen_logp - end.chosen_logp
    if fall > FALLING_NATS:
        texts.append(
            f"chosen answers became less likely by {fall:.2f} nats a token: raise training.chosen_weight or "
            "training.beta, or lower training.learning_rate"
        )
    if start.characters and end.characters > LONGER * start.characters:
        texts.append(f"the mean length of answers grew from {start.characters:.0f} to {end.characters:.0f} characters")
    for what, now, before in (
        ("hold no code that parses", end.unparsable, start.unparsable),
        ("are cut at the token limit", end.unfinished, start.unfinished),
    ):
        if now > before + UNPARSABLE:
            texts.append(f"{now:.0%} of the answers {what}; at the start {before:.0%}")
    if end.repeated > start.repeated + REPEATED:
        texts.append(f"{end.repeated:.0%} of the answers repeat themselves; at the start {start.repeated:.0%}")
    compared = against_start(start, end)
    if compared.high < 0:
        texts.append(f"pass@1 on validation problems fell by {-100 * compared.difference:.1f} points")
    return texts


def repeats_itself(text: str) -> bool:
    """Return whether one line occurs more than five times and makes up more than half of the lines.

    Blank lines do not count. Lines that differ only in white space at their ends are equal.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    most = max((lines.count(line) for line in set(lines)), default=0)
    return most > 5 and 2 * most > len(lines)


def probe_row(start: Probe, probe: Probe, seed: int = 0) -> dict[str, Any]:
    """Return a probe as a dictionary for files and reports.

    It holds the probe's values except `passed_P`, and pass@1, and the difference in pass@1 to the start model with its
    interval.
    """
    compared = against_start(start, probe, seed)
    interval = {"low": compared.low, "high": compared.high} if probe is not start else {"low": 0.0, "high": 0.0}
    row = {name: getattr(probe, name) for name in Probe.__dataclass_fields__ if name != "passed_P"}
    return row | {"pass_rate": probe.pass_rate, "difference": compared.difference} | interval
