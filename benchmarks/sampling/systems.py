"""Runs the engines that are measured on the same requests, and returns their speeds."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import codepref.sampling.engines
from benchmarks.common.results import log
from codepref.config.engine import EngineSection
from codepref.config.templates import SOLUTION_TEMPLATE
from codepref.models import load_model, load_tokenizer, resolve_model, stop_tokens
from codepref.problems.load import load_problems
from codepref.sampling.engines import Ask, Decoding, open_engine
from codepref.sampling.engines.base import Preparable
from codepref.sampling.engines.launched import LaunchedEngine, Servers
from codepref.sampling.engines.transformers import TransformersEngine
from codepref.sampling.prompts import request_messages
from codepref.starter import SOLUTION_TEMPLATE as STARTER_TEMPLATE

Texts = list[tuple[str, int]]
"""The text of each answer, in the order of the requests, and its number of tokens.

An end token counts too, if the answer has one. For codepref's engines, the tokens are counted by encoding the text
again.
"""


VLLM_DTYPE = "bfloat16"
"""The type of the weights in vLLM, in its offline loop and in the server that codepref starts."""


class System(Protocol):
    """An engine that is measured. `facts` may hold the type of its weights as "dtype"."""

    facts: dict[str, str]

    def __call__(self, asks: Sequence[Ask], decoding: Decoding) -> Texts:
        """Return the answers to `asks`."""
        ...


@dataclass(frozen=True)
class Work:
    """The requests, longest prompts first, and the settings of a measurement.

    asks: the requests, of which `n` successive ones have the prompt of the same problem. rounds: how often each engine
    answers all requests. greedy: the number of problems whose greedy texts are compared. The other attributes are
    options of the command.
    """

    model: str
    asks: Sequence[Ask]
    n: int
    decoding: Decoding
    batch_size: int
    rounds: int
    greedy: int
    engines: Sequence[str]
    vllm_python: str
    vllm_options: str
    base_url: str
    served_name: str

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> Work:
        """Load the problems, and return their requests with the settings."""
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
            options.engines,
            options.vllm_python,
            options.vllm_options,
            options.base_url,
            options.served_name or options.model,
        )


class Generate:
    """Transformers' `generate` in float32 on the CPU, as codepref used it before it had its own decoding loop."""

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
    """An engine of codepref: one that computes in this process, or one that asks a server."""

    def __init__(self, work: Work, engine: codepref.sampling.engines.Engine) -> None:
        self.work, self.tokenizer = work, load_tokenizer(work.model)
        self.engine = engine
        self.facts = {"dtype": VLLM_DTYPE} if isinstance(engine, LaunchedEngine) else {}

    def __call__(self, asks: Sequence[Ask], decoding: Decoding) -> Texts:
        """Return the answers to `asks`."""
        if isinstance(self.engine, Preparable):
            self.engine.prepare(batch_size=self.work.batch_size, folder=None, on_tokens=lambda number: None)
        found = dict(self.engine.answers(asks, decoding, 0))
        if isinstance(self.engine, TransformersEngine):
            self.facts = self.engine.summary()["engine"]
        texts = [found[place] for place in range(len(asks))]
        encode = self.tokenizer
        return [
            (one.text, len(encode(one.text, add_special_tokens=False)["input_ids"]) + one.finished) for one in texts
        ]


class Vllm:
    """vLLM's offline loop, in a process of vLLM's environment. The process ends when `stack` is closed."""

    def __init__(self, work: Work, stack: ExitStack) -> None:
        tokenizer = load_tokenizer(work.model)
        prompts = [
            tokenizer.apply_chat_template(list(ask.messages), add_generation_prompt=True)["input_ids"]
            for ask in work.asks[:: work.n]
        ]
        options = f"--dtype {VLLM_DTYPE} {work.vllm_options}"
        job = {"model": resolve_model(work.model), "options": options, "prompts": prompts, "n": work.n}
        script = Path(__file__).with_name("vllm_loop.py")
        self._n, self._process = (
            work.n,
            stack.enter_context(
                subprocess.Popen(
                    [work.vllm_python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            ),
        )
        stack.callback(self._process.stdin.close)  # type: ignore[union-attr]
        self._send(job)
        self.facts = {"dtype": VLLM_DTYPE}

    def __call__(self, asks: Sequence[Ask], decoding: Decoding) -> Texts:
        """Return the answers to `asks`, which must be all requests of the first problems of `Work.asks`."""
        settings = {"temperature": decoding.temperature, "top_p": decoding.top_p}
        settings |= {"max_tokens": decoding.max_new_tokens, "prompts": len(asks) // self._n}
        return [(text, tokens) for text, tokens in json.loads(self._send(settings))]

    def _send(self, document: Mapping[str, Any]) -> str:
        """Send one line to the process, and return its answer, which is one line. Raises SystemExit if it has ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(document) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"vLLM's offline loop ended with status {self._process.wait()}")
        return line


def measure(work: Work) -> dict[str, Any]:
    """Return the figures of each engine, or why it was not measured, and a comparison of greedy texts."""
    absent = {
        name: reason
        for name, given, reason in (
            ("vllm", work.vllm_python, "no --vllm-python was given"),
            ("vllm-server", work.vllm_python, "no --vllm-python was given"),
            ("server", work.base_url, "no --base-url was given"),
        )
        if not given and name in work.engines
    }
    with ExitStack() as stack:
        makers: dict[str, Callable[[], System]] = {
            "generate": lambda: Generate(work),
            "embedded": lambda: Engine(work, open_engine(work.model, device="cpu")),
            "vllm": lambda: Vllm(work, stack),
            "vllm-server": lambda: Engine(work, _launched(work, stack)),
            "server": lambda: Engine(work, open_engine(work.served_name, base_url=work.base_url)),
        }
        systems = {name: make() for name, make in makers.items() if name in work.engines and name not in absent}
        runs = _runs(work, systems)
        greedy = _greedy(work, systems["generate"]) if "generate" in systems else {}
    figures: dict[str, Any] = {name: _summary(each) for name, each in runs.items()}
    for name, system in systems.items():
        figures[name] |= {"facts": system.facts}
    return {"engines": figures, "not measured": absent, "greedy": greedy}


def _runs(work: Work, systems: Mapping[str, System]) -> dict[str, list[dict[str, Any]]]:
    """Let the systems take turns after a short run of each system. Return the runs of each system."""
    for system in systems.values():
        system(work.asks[: work.n], replace(work.decoding, max_new_tokens=4))
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in systems}
    for number in range(work.rounds):
        for name in list(systems)[:: 1 if number % 2 == 0 else -1]:
            begun = time.monotonic()
            texts = systems[name](work.asks, work.decoding)
            seconds = time.monotonic() - begun
            tokens = sum(count for _, count in texts)
            runs[name].append({"answers": len(texts), "tokens": tokens, "seconds": round(seconds, 3)})
            log(f"{name}: {len(texts) / seconds:.1f} answers/s, {tokens / seconds:.0f} tokens/s")
    return runs


def _launched(work: Work, stack: ExitStack) -> LaunchedEngine:
    """Return codepref's engine for the preset `vllm`. The server that it starts ends when `stack` is closed."""
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="codepref-")))
    section = EngineSection(preset="vllm", python=work.vllm_python, options=work.vllm_options)
    servers = stack.enter_context(Servers(section, folder, log=log, dtype=VLLM_DTYPE))
    return LaunchedEngine(servers, work.model, "base")


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median speeds of the runs of one engine, and the runs."""
    return {
        "answers_per_second": round(statistics.median(run["answers"] / run["seconds"] for run in runs), 2),
        "tokens_per_second": round(statistics.median(run["tokens"] / run["seconds"] for run in runs), 1),
        "runs": runs,
    }


def _greedy(work: Work, plain: System) -> dict[str, Any]:
    """Return how many greedy texts of codepref's engine in this process equal those of `generate`, both in float32."""
    asks = work.asks[:: work.n][: work.greedy]
    if not asks:
        return {}
    engine = Engine(work, TransformersEngine(work.model, dtype="float32", device="cpu"))
    decoding = replace(work.decoding, temperature=0.0)
    pairs = list(zip(plain(asks, decoding), engine(asks, decoding), strict=True))
    return {"texts": len(pairs), "identical": sum(one[0] == other[0] for one, other in pairs)}
