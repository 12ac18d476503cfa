"""A summary like that of a small finished run, for the tests of reports."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from codepref.evaluation.comparison import compare_values
from codepref.evaluation.estimators import score

GREEDY = {"base": [0, 1, 0, 1, 0] * 4, "aligned": [1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0]}
LEVELS = {"base": np.linspace(0, 0.7, 20), "aligned": np.linspace(0.1, 0.9, 20)}


@pytest.fixture
def summary() -> dict[str, Any]:
    scores = {
        label: [
            asdict(score("pass@1 greedy", GREEDY[label], [1] * 20)),
            asdict(score("pass@1", LEVELS[label], [10] * 20)),
        ]
        for label in ("base", "aligned")
    }
    return {
        "recipe": "dstc-dpo",
        "recipe_resolved": {"sampling": {"temperature": 0.8}, "training": {"beta": 0.1, "lora": False}},
        "seed": 3,
        "codepref": "0.1.0",
        "versions": {"torch": "2.13.0"},
        "machine": {"cpu": "a processor", "cores": 2},
        "started": "2026-01-02T03:04:05Z",
        "stages": [{"name": "sample solutions", "seconds": 41.2}, {"name": "train", "seconds": 48.7}],
        "funnel": [{"what": "problems", "count": 600}, {"what": "pairs", "count": 412}],
        "dropped": {"tests": {"no assert found": 486}, "pairs": {"all solutions tie": 131}, "solutions": {}},
        "verdicts": {"own tests on sampled solutions": {"P": 60, "F": 30, "T": 9, "I": 1}},
        "pairs": {
            "count": 412,
            "problems": 388,
            "right": 291,
            "inverted": 28,
            "judged": 412,
            "share_right": asdict(score("right", [1] * 291 + [0] * 121, [1] * 412)),
        },
        "training": {
            "method": "dpo",
            "steps": 40,
            "first_loss": 0.6931,
            "settings": {"beta": 0.1, "learning_rate": 5e-5},
            "curve": [
                {
                    "step": s,
                    "loss": 0.7 - 0.01 * s,
                    "margin": 0.05 * s,
                    "accuracy": 0.5,
                    "chosen_logp": -10.0,
                    "rejected_logp": -12.0 - s,
                }
                for s in range(1, 41)
            ],
        },
        "scores": scores,
        "comparison": [
            asdict(compare_values("pass@1 greedy", GREEDY["base"], GREEDY["aligned"])),
            asdict(compare_values("pass@1", LEVELS["base"], LEVELS["aligned"])),
        ],
    }
