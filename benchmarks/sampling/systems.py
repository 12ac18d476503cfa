"""The engines that are measured. All of them answer the same requests."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.common.results import log
from codepref.config.templates import SOLUTION_TEMPLATE
from codepref.models import load_model, load_tokenizer, stop_tokens
from codepref.problems.load import load_problems
from codepref.sampling.engines import Ask, Decoding, open_engine
from codepref.sampling.engines.transformers import TransformersEngine
from codepref.sampling.prompts import request_messages
from codepref.starter import SOLUTION_TEMPLATE as STARTER_TEMPLATE

Texts = list[tuple[str, int]]
"""The text of each answer, in the order of the requests, and its number of tokens with the end token.

For codepref's engines, the tokens are counted by encoding the text again.
"""


@dataclass(frozen=True)
class Work:
    """The requests, longest prompts first, and the settings of a measurement."""

    model: str
    asks: Sequence[Ask]
    n: int
    decoding: Decoding
    batch_size: int
    rounds: int
    greedy: int
    vllm_python: str
    base_url: str
    served_name: str

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> Work:
        """Load the problems, and order the requests by the length of their prompts."""
        tokenizer = load_tokenizer(options.model)
        template = STARTER_TEMPLATE if options.model == "starter" else SOLUTION_TEMPLATE
        prompts = []
        for problem in load_problems(options.problems, limit=options.limit):
            messages = request_messages(problem, template)
            length = len(tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"])
            prompts.append((-length, problem.task_id, messages))
        prompts.sort(key=lambda prompt: prompt[:2])
        asks = [Ask(task, "solutions", n, messages) for _, task, messages in prompts for n in range(options.n)]
        return cls(
            options.model,
            asks,
            options.n,
            Decoding(options.temperature, 0.95, options.max_new_tokens),
            options.batch_size,
            options.rounds,
            options.greedy,
            options.vllm_python,
            options.base_url,
            options.served_name or options.model,
        )


class Generate:
    """Transformers' `generate` in float32, as codepref used it before it had its own decoding loop."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.model = load_model(work.model, dtype="float32", device="cpu")
        self.tokenizer = load_tokenizer(work.model)
        self.facts = {"dtype": "float32"}

    def __call__(self, asks: Sequence[Ask], decoding: Decoding) -> Texts:
        """Return the answers to `asks`."""
        import torch
        from transformers import GenerationConfig

        stops = stop_tokens(self.model, self.tokenizer)
        sampled = decoding.temperature > 0
        config = GenerationConfig(
            do_sample=sampled,
            temperature=decoding.temperature if sampled else None,
            top_p=decoding.top_p if sampled else None,
            top_k=0 if sampled else None,
            max_new_tokens=decoding.max_new_tokens,
            eos_token_id=stops,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        texts: Texts = []
        torch.manual_seed(0)
        for start in range(0, len(asks), self.work.batch_size):
            batch = [list(ask.messages) for ask in asks[start : start + self.work.batch_size]]
            encoded = self.tokenizer.apply_chat_template(
                batch, add_generation_prompt=True, padding=True, return_tensors="pt"
            )
            inputs = {key: encoded[key] for key in ("input_ids", "attention_mask")}
            with torch.inference_mode():
                out = self.model.generate(**inputs, generation_config=config)
            for row in out[:, encoded["input_ids"].shape[1] :].tolist():
                end = next((at for at, token in enumerate(row) if token in stops), None)
                text = self.tokenizer.decode(row[:end], skip_special_tokens=True)
                texts.append((text, len(row) if end is None else end + 1))
        return texts


class Engine:
    """An engine of codepref: the one in this process, or the one for servers."""

    def __init__(self, work: Work, *, base_url: str = "") -> None:
        self.work, self.tokenizer = work, load_tokenizer(work.model)
        name = work.served_name if base_url else work.model
        self.engine = open_engine(name, device="cpu", base_url=base_url)
        self.facts: dict[str, str] = {}

    def __call__(self, asks: Sequence[Ask], decoding: Decoding) -> Texts:
        """Return the answers to `asks`."""
        if prepare := getattr(self.engine, "prepare", None):
            prepare(batch_size=self.work.batch_size, folder=None, on_tokens=lambda number: None)
        found = dict(self.engine.answers(asks, decoding, 0))
        if isinstance(self.engine, TransformersEngine):
            self.facts = self.engine.summary()["engine"]
        texts = [found[place] for place in range(len(asks))]
        encode = self.tokenizer
        return [
            (one.text, len(encode(one.text, add_special_tokens=False)["input_ids"]) + one.finished) for one in texts
        ]


def measure(work: Work) -> dict[str, Any]:
    """Return the figures of each engine, or the reason why it was not measured."""
    systems: dict[str, Callable[[Sequence[Ask], Decoding], Texts]] = {
        "generate": Generate(work),
        "embedded": Engine(work),
    }
    absent = {"vllm": "no --vllm-python was given", "server": "no --base-url was given"}
    if work.base_url:
        systems["server"] = Engine(work, base_url=work.base_url)
        del absent["server"]
    warm = work.asks[: work.batch_size : work.n]
    for system in systems.values():
        system(warm[:4], replace(work.decoding, max_new_tokens=4))
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in systems}
    for number in range(work.rounds):
        for name in list(systems)[:: 1 if number % 2 == 0 else -1]:
            begun = time.monotonic()
            texts = systems[name](work.asks, work.decoding)
            seconds = time.monotonic() - begun
            tokens = sum(count for _, count in texts)
            runs[name].append({"answers": len(texts), "tokens": tokens, "seconds": round(seconds, 3)})
            log(f"{name}: {len(texts) / seconds:.1f} answers/s, {tokens / seconds:.0f} tokens/s")
    if work.vllm_python:
        runs["vllm"] = _vllm(work)
        del absent["vllm"]
    figures: dict[str, Any] = {name: _summary(each) for name, each in runs.items()}
    for name, system in systems.items():
        figures[name] |= {"facts": getattr(system, "facts", {})}
    return {"engines": figures, "not measured": absent, "greedy": _greedy(work, systems)}


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median speeds of the runs of one engine, and the runs."""
    return {
        "answers_per_second": round(statistics.median(run["answers"] / run["seconds"] for run in runs), 2),
        "tokens_per_second": round(statistics.median(run["tokens"] / run["seconds"] for run in runs), 1),
        "runs": runs,
    }


def _greedy(work: Work, systems: dict[str, Callable[[Sequence[Ask], Decoding], Texts]]) -> dict[str, Any]:
    """Return how many greedy texts of the engine in this process equal those of `generate`, in float32."""
    asks = work.asks[:: work.n][: work.greedy]
    if not asks:
        return {}
    engine = Engine(work)
    engine.engine = TransformersEngine(work.model, dtype="float32", device="cpu")
    decoding = replace(work.decoding, temperature=0.0)
    pairs = list(zip(systems["generate"](asks, decoding), engine(asks, decoding), strict=True))
    return {"texts": len(pairs), "identical": sum(plain[0] == ours[0] for plain, ours in pairs)}


def _vllm(work: Work) -> list[dict[str, Any]]:
    """Return the runs of vLLM's offline loop, which are measured in a process of another environment."""
    tokenizer = load_tokenizer(work.model)
    prompts = [
        tokenizer.apply_chat_template(list(ask.messages), add_generation_prompt=True)["input_ids"]
        for ask in work.asks[:: work.n]
    ]
    job = {"model": work.model, "prompts": prompts, "n": work.n, "rounds": work.rounds, **vars(work.decoding)}
    script = Path(__file__).with_name("vllm_loop.py")
    done = subprocess.run(
        [work.vllm_python, str(script)], input=json.dumps(job), stdout=subprocess.PIPE, text=True, check=True
    )
    runs: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return runs
