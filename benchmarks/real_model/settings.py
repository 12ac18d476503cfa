"""The settings of the benchmark: sizes, the prompt for tests, trainings, and the rows of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from codepref.config.sections import TrainingSection

VALIDATION, HELDOUT = 48, 80
"""How many of MBPP+'s problems are for validation, and how many are held out. The other problems are for training."""
SPLIT_SEED = 0
SETS = {"MBPP+": "Mbpp/", "HumanEval+": "HumanEval/"}
"""Name of a held-out set -> how its task ids begin."""


@dataclass(frozen=True)
class Sizes:
    """The numbers of problems and answers. Results with different sizes are not kept in one folder.

    train, validation: the largest number of problems of this part of the split. heldout: the largest number of problems
    of each held-out set. 0 takes all. solutions, tests: answers of each kind to each training problem. max_new_tokens:
    the largest number of tokens in an answer. validation_samples: answers to each validation problem in a probe.
    probes: about how many probes a training has, besides the probe of the start model. heldout_samples: sampled answers
    to each held-out problem, besides one greedy answer.
    """

    train: int = 0
    validation: int = 0
    heldout: int = 0
    solutions: int = 16
    tests: int = 8
    max_new_tokens: int = 256
    validation_samples: int = 4
    probes: int = 5
    heldout_samples: int = 5


Data = Literal["", "gold", "passing", "answers", "chosen", "pairs"]


@dataclass(frozen=True)
class Row:
    """One row of the table: a training, or the base model.

    text: what the model learns from, in words.
    data: "" for the base model, which is not trained. "gold": the problems' gold solutions. "passing": solutions of the
    base model that pass the true tests. "answers": solutions of the base model, labelled by the true tests. "pairs":
    the pairs that `pairing` describes; KTO learns from their single answers. "chosen": only the chosen answers of these
    pairs, with as many training steps as "pairs" would take.
    training: the settings of the training.
    pairing: arguments of `codepref.pair`, such as the rule.
    seeds: the number of seeds with which the row is measured. The seeds are 0, 1 and so on.
    start: the row whose model is trained further. This model also writes the solutions from which the row learns, in
    place of the base model. "" stands for the base model.
    """

    name: str
    text: str
    data: Data = ""
    training: TrainingSection = field(default_factory=TrainingSection)
    pairing: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 1
    start: str = ""


TEST_TEMPLATE = (
    "{prompt}\nWrite five more assert statements that test `{entry_point}`, one a line, in one code block. Each "
    "compares a call of `{entry_point}` with the value that a right solution returns. Do not write the function."
)
"""The prompt for tests. With codepref's own prompt this model hardly writes any test."""
BASE, BASELINE = "base", "sft-chosen"
"""The rows with which the other rows are compared."""
TRAINING = TrainingSection(batch_size=8, max_length=512, epochs=3.0, checkpoint_minutes=5.0)
SFT = replace(TRAINING, method="sft", learning_rate=3e-5)
PAIRS = replace(TRAINING, method="rpo", learning_rate=1e-5, chosen_weight=1.0)
TRUE: Mapping[str, Any] = {"rule": "all-tests"}

_ROWS = (
    Row(BASE, "–", seeds=3),
    Row(BASELINE, "chosen answers of the pairs by true tests", "chosen", SFT, TRUE, seeds=3),
    Row("dpo", "pairs by true tests", "pairs", replace(PAIRS, method="dpo", chosen_weight=0.0), TRUE, seeds=3),
    Row("dpo-likelihood", "pairs by true tests", "pairs", PAIRS, TRUE, seeds=3),
    Row("agreement-dpo", "pairs by agreement, with self-written tests", "pairs", PAIRS, {"rule": "agreement"}, seeds=3),
    Row("focal-dpo", "pairs by true tests", "pairs", replace(PAIRS, method="focal-dpo"), TRUE, seeds=3),
    Row("sft-gold", "the problems' gold solutions", "gold", SFT),
    Row("rft", "own solutions that pass the true tests", "passing", replace(SFT, method="rft")),
    Row("kto", "own solutions, labelled by true tests", "answers", replace(PAIRS, method="kto")),
    Row("dstc-dpo", "pairs by DSTC, with self-written tests", "pairs", PAIRS, {"rule": "dstc"}),
    Row("dstc-kto", "pairs by DSTC, with self-written tests", "pairs", replace(PAIRS, method="kto"), {"rule": "dstc"}),
    Row("two-rounds", "pairs by true tests, sampled twice", "pairs", PAIRS, TRUE, start="dpo-likelihood"),
    Row("simpo", "pairs by true tests", "pairs", replace(PAIRS, method="simpo"), TRUE),
    Row("orpo", "pairs by true tests", "pairs", replace(PAIRS, method="orpo"), TRUE),
    Row("cpo", "pairs by true tests", "pairs", replace(PAIRS, method="cpo"), TRUE),
)
ROWS: Mapping[str, Row] = {row.name: row for row in _ROWS}
"""The rows by name, in the order in which they are measured and shown."""


def with_rates(rows: Mapping[str, Row], sft: float, pairs: float) -> dict[str, Row]:
    """Return the rows with other learning rates.

    sft: the rate of the methods `sft` and `rft`. pairs: the rate of all other methods.
    """
    rate = {True: sft, False: pairs}
    return {
        name: replace(row, training=replace(row.training, learning_rate=rate[row.training.method in ("sft", "rft")]))
        for name, row in rows.items()
    }
