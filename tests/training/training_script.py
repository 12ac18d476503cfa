"""Helpers of the training tests. As a script, with the arguments NAME OUT CHECKPOINT_MINUTES, it runs one training."""

import sys
from pathlib import Path
from typing import Any

from codepref import load_problems
from codepref.config.sections import TrainingSection
from codepref.records import Pair
from codepref.sampling.prompts import request_messages
from codepref.starter import SOLUTION_TEMPLATE
from codepref.training.job import TrainingJob, ValidationSettings
from codepref.training.methods.base import TrainingData
from codepref.training.result import TrainingResult
from codepref.training.train import train

TRAININGS: dict[str, dict[str, Any]] = {
    "dpo": {"method": "dpo", "learning_rate": 1e-4},
    "kto": {"method": "kto", "learning_rate": 1e-4},
    "validated": {"method": "rpo", "learning_rate": 1e-3, "lora_rank": 4, "lora_dropout": 0.2},
}


def pairs(count: int = 8) -> list[Pair]:
    """Return `count` pairs of the starter's problems: a gold solution over a function that returns 0."""
    rows = []
    for problem in load_problems("starter:pretrain", limit=count):
        assert problem.gold is not None
        wrong = f"{problem.gold.splitlines()[0]}\n    return 0"
        chosen, rejected = ([{"role": "assistant", "content": text}] for text in (problem.gold.strip(), wrong))
        prompt = request_messages(problem, SOLUTION_TEMPLATE)
        rows.append(Pair(problem.task_id, prompt, chosen, rejected, "test", 1.0, 0, 1))
    return rows


def train_on(data: TrainingData, model: str, out: Path, settings: TrainingSection, **job: Any) -> TrainingResult:
    """Train `model` on `data`. job: other fields of TrainingJob, such as `seed`."""
    return train(TrainingJob(model, out, settings, **job), data)


def main() -> None:
    """Run the training NAME of TRAININGS on 32 pairs, and write the model to OUT."""
    name, out, minutes = sys.argv[1:]
    settings = TrainingSection(
        batch_size=4,
        micro_batch_size=2,
        epochs=2.0,
        max_length=256,
        checkpoint_minutes=float(minutes),
        **TRAININGS[name],
    )
    validation = None
    if name == "validated":
        problems = load_problems("starter:validation", limit=6)
        validation = ValidationSettings(
            problems, max_new_tokens=60, every=3, patience=0, template=SOLUTION_TEMPLATE, jobs=1
        )
    train_on(pairs(32), "starter", Path(out), settings, seed=5, validation=validation)


if __name__ == "__main__":
    main()
