"""The training methods that are compared, and their settings. The settings were chosen on `starter:validation`."""

from __future__ import annotations

from dataclasses import replace

from codepref.config.sections import OnlineSection, TrainingSection

BASE = TrainingSection(batch_size=16, max_length=384, learning_rate=2e-4, epochs=4.0)
STEADY = replace(
    BASE, learning_rate=1e-4, batch_size=128, epochs=1.25, scheduler="constant_with_warmup", warmup_ratio=0.05
)
"""Settings of the online methods. A training that validation does not end early samples about 5,000 answers.

For the other methods, `Bench.true_verdicts` samples this number too.
"""
ONLINE = {
    "grpo": OnlineSection(reward="share", max_new_tokens=120),
    "rloo-coarse": OnlineSection(reward="coarse", max_new_tokens=120),
}
METHODS = {
    "sft": ("the problems' gold solutions", replace(BASE, method="sft")),
    "rft": ("own solutions that pass", replace(BASE, method="rft", epochs=2.0)),
    "dpo": ("pairs by true tests", replace(BASE, method="dpo", chosen_weight=0.0, learning_rate=2e-5)),
    "rpo": ("pairs by true tests", replace(BASE, method="rpo", chosen_weight=10.0)),
    "kto": ("own solutions by true tests", replace(BASE, method="kto", chosen_weight=10.0, epochs=2.0)),
    "dstc-rpo": ("pairs by self-written tests (DSTC)", replace(BASE, method="rpo", chosen_weight=20.0)),
    "agreement-rpo": ("pairs by self-written tests (agreement)", replace(BASE, method="rpo", chosen_weight=20.0)),
    "grpo": ("rewards: share of true tests", replace(STEADY, method="grpo")),
    "rloo-coarse": ("coarse rewards by true tests", replace(STEADY, method="rloo")),
    "rpo-2-rounds": ("pairs by true tests, sampled twice", replace(BASE, method="rpo", chosen_weight=10.0)),
}
"""Name of a method -> what it learns from, in words, and its settings."""
SOLUTIONS = 10
"""The number of solutions that are sampled for each training problem."""
