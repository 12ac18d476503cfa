"""A training in a process of its own, to be killed: METHOD OUT CHECKPOINT_MINUTES."""

import sys
from pathlib import Path

from codepref import load_problems
from codepref.config.sections import TrainingSection
from codepref.records import Pair
from codepref.sampling.engines import Decoding
from codepref.sampling.prompts import request_messages
from codepref.starter import SOLUTION_TEMPLATE
from codepref.training.train import train_on
from codepref.training.validation_callback import Probing

METHODS = {
    "dpo": {"method": "dpo", "learning_rate": 1e-4},
    "kto": {"method": "kto", "learning_rate": 1e-4},
    "watched": {"method": "rpo", "learning_rate": 1e-3, "lora_rank": 4, "lora_dropout": 0.2},
}


def pairs(count: int) -> list[Pair]:
    """Gold solutions of the starter against a wrong answer of about their length."""
    made = []
    for problem in load_problems("starter:pretrain", limit=count):
        assert problem.gold is not None
        wrong = f"{problem.gold.splitlines()[0]}\n    return 0"
        sides = [[{"role": "assistant", "content": text}] for text in (problem.gold.strip(), wrong)]
        prompt = request_messages(problem, SOLUTION_TEMPLATE)
        made.append(Pair(problem.task_id, prompt, sides[0], sides[1], "test", 1.0, 0, 1))
    return made


def main() -> None:
    """Train for 16 steps."""
    method, out, minutes = sys.argv[1:]
    settings = TrainingSection(
        batch_size=4,
        micro_batch_size=2,
        epochs=2.0,
        max_length=256,
        checkpoint_minutes=float(minutes),
        **METHODS[method],
    )
    watch = None
    if method == "watched":
        problems = load_problems("starter:validation", limit=6)
        watch = Probing(problems, Decoding(max_new_tokens=60), every=3, patience=0, template=SOLUTION_TEMPLATE, jobs=1)
    train_on(pairs(32), "starter", Path(out), settings, seed=5, watch=watch)


if __name__ == "__main__":
    main()
