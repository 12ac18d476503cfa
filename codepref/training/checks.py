"""What is wrong between the settings of a training that are each valid alone: one sentence a mistake. Pure."""

from __future__ import annotations

from codepref.config.sections import OnlineSection, TrainingSection

ONLINE = ("grpo", "rloo")
"""Training methods that sample answers while they train, from problems with tests."""

REPORTERS = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio"}
"""Name in `training.report_to` -> the package that it needs."""

PAIR_LOSSES = (
    "sigmoid",
    "hinge",
    "ipo",
    "nca_pair",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sigmoid_norm",
)
"""TRL's losses of pairs that take no more than beta."""


def training_mistakes(settings: TrainingSection, section: str = "training") -> list[str]:
    """What is wrong between the keys of [training], or of [sft] as a training."""
    found = []
    if settings.micro_batch_size and settings.batch_size % settings.micro_batch_size:
        found.append(
            f"{section}.micro_batch_size = {settings.micro_batch_size} does not divide "
            f"{section}.batch_size = {settings.batch_size}"
        )
    if settings.quantization != "none" and not settings.lora_rank:
        found.append(f"{section}.quantization trains an adapter beside 4-bit weights: set {section}.lora_rank above 0")
    if settings.loss not in PAIR_LOSSES:
        found.append(f"training.loss = {settings.loss!r} is none of TRL's: {', '.join(PAIR_LOSSES)}")
    if settings.method == "rpo" and not settings.chosen_weight:
        found.append("training.method = 'rpo' is DPO with the chosen answer's likelihood: set training.chosen_weight")
    if unknown := sorted(set(settings.report_to) - {"none", *REPORTERS}):
        found.append(f"training.report_to holds {', '.join(unknown)}; known: {', '.join(REPORTERS)}")
    return found


def online_mistakes(settings: TrainingSection, online: OnlineSection) -> list[str]:
    """What is wrong between the keys of [training] and [online]."""
    micro = settings.micro_batch_size or settings.batch_size
    found = []
    if len(online.coarse) != 4:
        found.append("online.coarse holds four values: does not compile, raises, fails a test, passes")
    if settings.batch_size % online.generations or settings.batch_size % micro:
        found.append(
            f"training.batch_size = {settings.batch_size} answers a step must be a multiple of online.generations = "
            f"{online.generations} and of micro_batch_size"
        )
    return found
