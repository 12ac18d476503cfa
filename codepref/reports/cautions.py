"""Warnings for the reader of a report, as sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from codepref.errors import UserError
from codepref.pairing.rules import load_rule
from codepref.reports.wording import Row, count, figure_name, main_comparison, number, points, sentence_case, tone_of

LN2 = math.log(2)
LOSS_TOLERANCE = 1e-3


def cautions(summary: Row) -> list[str]:
    """Return sentences on suspicious training, wrong pairs, verdicts `I`, and answers of servers."""
    return [*_training_cautions(summary), *_data_cautions(summary), *_server_cautions(summary)]


def expected_first_loss(training: Row) -> float | None:
    """Return the value that `first_loss` has if the reference model is the starting model, or None if it is unknown.

    training: the summary's `training`. Summaries of earlier versions do not hold `expected_first_loss`. For them, the
    value is ln 2 if the method is `dpo` or `rpo` with the sigmoid loss. `first_loss` does not include the term of the
    chosen answer's likelihood.
    """
    if "expected_first_loss" in training:
        return number(training["expected_first_loss"])
    loss = (training.get("settings") or {}).get("loss", "sigmoid")
    return LN2 if training.get("method", "dpo") in ("dpo", "rpo") and loss == "sigmoid" else None


def _training_cautions(summary: Row) -> list[str]:
    training = summary.get("training") or {}
    curve = training.get("curve") or []
    sentences: list[str] = []
    first, expected = number(training.get("first_loss")), expected_first_loss(training)
    if training and first is not None and expected is not None and abs(first - expected) > LOSS_TOLERANCE:
        wanted = f"{'ln 2 = ' if abs(expected - LN2) < 1e-9 else ''}{expected:.4f}"
        sentences.append(
            f"The loss before the first step was {first:.4f}, not {wanted}. This shows that the reference model is not "
            "the starting model."
        )
    accuracy = _ends([value for row in curve if (value := number(row.get("accuracy"))) is not None])
    main = main_comparison(list(summary.get("comparison") or []))
    if accuracy and accuracy[1] >= 0.9 and main is not None and tone_of(main) in ("tie", "worse"):
        sentences.append(
            f"Reward accuracy ended at {points(accuracy[1])}%, but {figure_name(str(main.get('name')))} shows no gain. "
            "The model tells chosen from rejected answers, but it is not shown that it solves more problems."
        )
    sentences += [f"{sentence_case(str(warning))}." for warning in training.get("warnings") or []]
    chosen = _ends([value for row in curve if (value := number(row.get("chosen_logp"))) is not None])
    if not training.get("warnings") and chosen and chosen[1] < chosen[0] - max(1.0, 0.1 * abs(chosen[0])):
        sentences.append(
            f"The chosen responses became less likely in training (log-probability {chosen[0]:.1f} to "
            f"{chosen[1]:.1f}). This can be the beginning of a collapse of the model."
        )
    return sentences


def _ends(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the means of the first and of the last tenth of the values, or None for fewer than two values.

    A tenth holds at least one value. Means are used because single values are noisy.
    """
    if len(values) < 2:
        return None
    part = max(1, len(values) // 10)
    return sum(values[:part]) / part, sum(values[-part:]) / part


def _pairs_right_solutions(rule: Any) -> bool:
    """Return whether the rule reads ratings or CPU times. Return False for a rule that is not installed here."""
    try:
        return load_rule(str(rule)).ratings or load_rule(str(rule)).speed
    except UserError:
        return False


def _data_cautions(summary: Row) -> list[str]:
    pairs, verdicts = summary.get("pairs") or {}, summary.get("verdicts") or {}
    sentences: list[str] = []
    right = number((pairs.get("share_right") or {}).get("value"))
    rule = ((summary.get("recipe_resolved") or {}).get("pairing") or {}).get("rule")
    # in a pair that was chosen by ratings or CPU times, both sides may pass the true tests, and the pair can be good
    if right is not None and right < 0.5 and not _pairs_right_solutions(rule):
        sentences.append(
            f"Only {points(right)}% of the judged pairs of a problem are right by the true tests, on average."
        )
    for name, codes in verdicts.items():
        if failed := number((codes or {}).get("I")):
            sentences.append(
                f"{count(failed)} verdicts ({name}) are missing, since the sandbox or a problem's own code failed. "
                "They count against no model."
            )
    return sentences


def _server_cautions(summary: Row) -> list[str]:
    model = (summary.get("recipe_resolved") or {}).get("model") or {}
    if not model.get("base_url"):
        return []
    return [
        f"A server gave the answers for training, as the model {model.get('served_name') or model.get('path')}. "
        "codepref cannot check that the server has the weights of this run's model, and a repeated run can get other "
        "answers."
    ]
