"""DPO training beside plain TRL: tokens a second, peak memory and the loss of every step, on the same pairs.

    python benchmarks/training.py --data DATA --out runs/training

The model is a randomly initialised Qwen2 of 0.5B parameters (--size tiny: a small one); pairs are CodeGen-16B's samples
of HumanEval problems, from the folder `codegen16b` in DATA. Each arm is a process of its own; arms are interleaved.
Writes benchmarks/results/training.json and .md, in which rows of other devices stay.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from codepref.problems.load import load_problems
from codepref.records import Pair
from codepref.runs.summary import machine, versions
from codepref.storage.files import read_json, read_jsonl, write_json, write_text

RESULTS = Path(__file__).parent / "results"
SIZES = {
    "0.5b": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
    "tiny": {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 4},
}
VOCABULARY = {"0.5b": 151_936, "tiny": 2048}
SETS = {"one pair a prompt": 1, "four pairs a prompt": 4}
"""Name -> pairs of one problem."""
ARMS = ("trl", "codepref")
LOSS_TOLERANCE = 1e-4


def main() -> None:
    """Run all arms, or one of them (--arm, for the processes that this starts itself)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds codegen16b/")
    parser.add_argument("--out", type=Path, default=Path("runs/training"))
    parser.add_argument("--size", choices=SIZES, default="0.5b")
    parser.add_argument("--pairs", type=int, default=16, help="in each set; a multiple of 4")
    parser.add_argument("--batch", type=int, default=4, help="pairs a step")
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--set", choices=SETS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        print(json.dumps(one_arm(options)))
        return
    build_model(options.out / options.size, options.size)
    found: dict[str, dict[str, list[dict[str, Any]]]] = {name: {arm: [] for arm in ARMS} for name in SETS}
    for repeat in range(options.repeats):
        for name in SETS:
            for arm in ARMS[:: 1 if repeat % 2 == 0 else -1]:
                found[name][arm].append(started(options, name, arm))
                print(f"{name}, {arm}: {found[name][arm][-1]['tokens_per_second']:.0f} tokens/s", file=sys.stderr)
    keep(options, found)


def started(options: argparse.Namespace, name: str, arm: str) -> dict[str, Any]:
    """One arm in a process of its own, so that its peak memory is its own."""
    given = ["--data", str(options.data), "--out", str(options.out), "--size", options.size, "--device", options.device]
    given += [
        "--pairs",
        str(options.pairs),
        "--batch",
        str(options.batch),
        "--max-length",
        str(options.max_length),
        "--arm",
        arm,
        "--set",
        name,
    ]
    ended = subprocess.run([sys.executable, __file__, *given], stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer


def build_model(folder: Path, size: str) -> None:
    """A random model with the starter's tokenizer; the same weights on every machine with this version of torch."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from codepref.models import load_tokenizer

    if (folder / "config.json").exists():
        return
    torch.manual_seed(0)
    config = Qwen2Config(
        **SIZES[size], num_key_value_heads=2, vocab_size=VOCABULARY[size], tie_word_embeddings=True, use_cache=False
    )
    tokenizer = load_tokenizer("starter")
    config.eos_token_id = config.bos_token_id = tokenizer.eos_token_id
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def pairs_of(model: str, data: Path, problems: int, pairs: int, max_length: int) -> list[Pair]:
    """Pairs of samples, in an order that is no problem's: (chosen, rejected) means nothing here."""
    from codepref.models import load_tokenizer

    folder, tokenizer = data / "codegen16b", load_tokenizer(model)
    samples: dict[str, list[str]] = {}
    for _, row in read_jsonl(folder / "solutions.jsonl.gz"):
        samples.setdefault(row["task_id"], []).append(row["completion"])
    made: list[Pair] = []
    for problem in load_problems(str(folder / "problems.jsonl.gz")):
        prompt = [{"role": "user", "content": problem.prompt}]
        by_tokens = {tokens_of(tokenizer, prompt, text): text for text in samples[problem.task_id] if text.strip()}
        fitting = [text for tokens, text in by_tokens.items() if len(tokens) <= max_length]
        if len(fitting) < 2 * pairs or problems == 0:
            continue
        problems -= 1
        for at in range(pairs):
            sides = [[{"role": "assistant", "content": text}] for text in fitting[2 * at : 2 * at + 2]]
            made.append(Pair(problem.task_id, prompt, sides[0], sides[1], "benchmark", 1.0, 2 * at, 2 * at + 1))
    random.Random(0).shuffle(made)
    return made


def tokens_of(tokenizer: Any, prompt: Any, answer: str) -> tuple[int, ...]:
    """Prompt and answer: texts that differ in unknown characters alone have the same tokens."""
    whole = [*prompt, {"role": "assistant", "content": answer}]
    return tuple(tokenizer.apply_chat_template(whole)["input_ids"])


def one_arm(options: argparse.Namespace) -> dict[str, Any]:
    """Train one epoch; the reference's work counts, loading does not."""
    import torch
    from transformers import TrainerCallback

    each = SETS[options.set]
    pairs = pairs_of(str(options.out / options.size), options.data, options.pairs // each, each, options.max_length)
    begun: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        """When the first step begins."""

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            begun.append(time.perf_counter())

    trainer, prepare = (plain if options.arm == "trl" else ours)(options, pairs)
    trainer.add_callback(Clock())
    start = time.perf_counter()
    prepare()
    trainer.train()
    seconds = time.perf_counter() - start
    rows = [trainer.train_dataset[at] for at in range(len(trainer.train_dataset))]
    tokens = sum(2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows)
    cuda = torch.cuda.is_available() and options.device != "cpu"
    peak = torch.cuda.max_memory_allocated() if cuda else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "pairs": len(pairs),
        "tokens": tokens,
        "seconds": seconds,
        "reference_seconds": begun[0] - start,
        "tokens_per_second": tokens / seconds,
        "peak_gib": peak / 2**30,
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
    }


def settings_of(options: argparse.Namespace) -> Any:
    """What both arms train with: every step is logged, in full precision."""
    from codepref.config.sections import TrainingSection

    return TrainingSection(
        learning_rate=1e-6,
        batch_size=options.batch,
        max_length=options.max_length,
        chosen_weight=0.0,
        checkpoint_minutes=0.0,
    )


def plain(options: argparse.Namespace, pairs: list[Pair]) -> tuple[Any, Any]:
    """trl.DPOTrainer as its documentation shows it, with codepref's arguments."""
    import datasets
    import trl

    from codepref.models import load_tokenizer
    from codepref.training.job import TrainingJob
    from codepref.training.setup import models, trl_arguments

    model = str(options.out / options.size)
    job = TrainingJob(model, options.out / "trl", settings_of(options), device=options.device)
    rows = [{name: list(getattr(pair, name)) for name in ("prompt", "chosen", "rejected")} for pair in pairs]
    trainer = trl.DPOTrainer(
        **models(job),
        args=trl.DPOConfig(**trl_arguments(len(rows), job)),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=load_tokenizer(model),
    )
    return trainer, lambda: None


def ours(options: argparse.Namespace, pairs: list[Pair]) -> tuple[Any, Any]:
    """codepref's trainer, by the steps of `codepref.training.trainer.run_training`."""
    from codepref.models import load_tokenizer
    from codepref.training.job import TrainingJob
    from codepref.training.methods import dpo
    from codepref.training.reference import compute_once
    from codepref.training.rows import preference_rows
    from codepref.training.shared_prefix import share
    from codepref.training.staging import claim
    from codepref.training.trainer import chat_encoder

    model = str(options.out / options.size)
    job = TrainingJob(model, options.out / "codepref", settings_of(options), device=options.device)
    tokenizer = load_tokenizer(model)
    encode = chat_encoder(tokenizer)
    fitted = preference_rows(pairs, encode, max_length=options.max_length, eos_id=tokenizer.eos_token_id)
    claim(job.staging, f"benchmark {time.time()}")
    made = dpo.build_trainer(job, fitted, tokenizer)

    def prepare() -> None:
        assert share(made, tokenizer), "the model refuses a mask"
        compute_once(made, dpo.REFERENCE_COLUMNS, job.staging)

    return made, prepare


def keep(options: argparse.Namespace, found: dict[str, dict[str, list[dict[str, Any]]]]) -> None:
    """Write results/training.json and .md."""
    where = machine()
    device = where.get("gpu", where["cpu"]) if options.device != "cpu" else where["cpu"]
    row = {
        "command": f"python benchmarks/training.py --data DATA --size {options.size} --pairs {options.pairs} "
        f"--batch {options.batch} --max-length {options.max_length} --repeats {options.repeats}",
        "device": device,
        "size": options.size,
        "machine": where,
        "versions": versions(),
        "sets": found,
    }
    path = RESULTS / "training.json"
    before = read_json(path) if path.exists() else []
    rows = [kept for kept in before if (kept["device"], kept["size"]) != (device, options.size)] + [row]
    write_json(path, rows)
    write_text(RESULTS / "training.md", table(rows))
    print(table(rows))


def table(rows: list[dict[str, Any]]) -> str:
    """Medians over repeats as Markdown."""
    lines = [
        "# DPO training beside plain TRL",
        "",
        "Tokens of both sides of all pairs a second, the reference's work included, loading not. Medians over repeats; "
        "the loss is compared step by step.",
        "",
        "| model | device | pairs | TRL tokens/s | codepref tokens/s | times | TRL GiB | codepref GiB | "
        "largest difference of a step's loss |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        for name, arms in row["sets"].items():
            speed = {arm: statistics.median(run["tokens_per_second"] for run in runs) for arm, runs in arms.items()}
            peak = {arm: max(run["peak_gib"] for run in runs) for arm, runs in arms.items()}
            apart = max(
                abs(one - other)
                for mine, theirs in zip(arms["codepref"], arms["trl"], strict=True)
                for one, other in zip(mine["losses"], theirs["losses"], strict=True)
            )
            lines.append(
                f"| Qwen2 {row['size']} | {row['device']} | {name} | {speed['trl']:.0f} | {speed['codepref']:.0f} | "
                f"{speed['codepref'] / speed['trl']:.2f} | {peak['trl']:.1f} | {peak['codepref']:.1f} | {apart:.1e} |"
            )
    lines += ["", *dict.fromkeys(f"`{row['command']}` on {row['device']}" for row in rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
