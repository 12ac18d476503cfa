"""The sections of a recipe: one dataclass a stage, every key with its default, its bounds and a word of explanation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from codepref.config.fields import bounded
from codepref.config.pool import Member
from codepref.config.templates import SOLUTION_TEMPLATE, TEST_TEMPLATE
from codepref.preferences import PREFERENCES


@dataclass(frozen=True)
class ModelSection:
    """The model to align."""

    path: str = bounded("starter", doc="local folder or hub name of a chat model; `starter` is the embedded one")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = bounded("auto", doc="weights' type when loaded")
    device: str = bounded("auto", doc="torch device; `auto` takes the GPU when there is one")


@dataclass(frozen=True)
class ProblemsSection:
    """Where problems come from. `train` and `heldout` must not share a task."""

    train: str = bounded("starter:train", doc="file, hub name or `starter:train`; sampled, paired and trained on")
    train_limit: int = bounded(0, low=0, doc="the first N training problems only; 0 takes all")
    heldout: str = bounded("starter:heldout", doc="problems for the before-and-after measurement, never trained on")
    heldout_limit: int = bounded(0, low=0, doc="the first N held-out problems only; 0 takes all")
    contamination: Literal["drop", "keep"] = bounded("drop", doc="training texts that hold held-out problems")


@dataclass(frozen=True)
class SamplingSection:
    """How the training problems are sampled."""

    solutions: int = bounded(10, low=2, doc="J: solutions a problem")
    tests: int = bounded(0, low=0, doc="test completions a problem; 0 uses the problems' own tests")
    tests_per_completion: int = bounded(5, low=1, doc="at most so many asserts are kept of one test completion")
    probes: int = bounded(60, low=0, doc="rule `agreement`: calls a problem, varied from its tests, to compare answers")
    temperature: float = bounded(0.8, above=0.0, high=5.0, doc="softmax temperature")
    top_p: float = bounded(0.95, above=0.0, high=1.0, doc="nucleus size")
    max_new_tokens: int = bounded(512, low=1, doc="a longer answer is cut there")
    batch_size: int = bounded(128, low=1, doc="answers generated at once")
    solution_template: str = bounded(SOLUTION_TEMPLATE, doc="user message that asks for a solution")
    test_template: str = bounded(TEST_TEMPLATE, doc="user message that asks for tests")


@dataclass(frozen=True)
class ExecutionSection:
    """Limits of the sandbox."""

    cpu_seconds: float = bounded(3.0, above=0.0, doc="CPU time a test")
    memory_mb: int = bounded(1024, low=64, doc="address space of a judged process")
    jobs: int = bounded(0, low=0, doc="workers; 0 takes one a core")


@dataclass(frozen=True)
class InstructionsSection:
    """Instructions for a pool of models, in place of problems with tests; see docs/feedback.md."""

    source: str = bounded("", doc="file or hub name with a column of instructions; empty: train on problems.train")
    column: str = bounded("", doc="its name; empty: instruction, prompt, problem or question")
    count: int = bounded(0, low=0, doc="so many, drawn with `draw_seed`; 0 takes all in their order")
    draw_seed: int = bounded(42, low=0, doc="seed of the draw, which should stay the same from run to run")
    max_chars: int = bounded(0, low=0, doc="longer instructions are left out; 0: any length")


@dataclass(frozen=True)
class ResponsesSection:
    """How the pool is asked."""

    per_problem: int = bounded(4, low=2, doc="models drawn a problem")
    principles: bool = bounded(True, doc="ask for the problem's preference in a system prompt")
    temperature: float = bounded(0.8, above=0.0, high=5.0, doc="softmax temperature")
    top_p: float = bounded(0.8, above=0.0, high=1.0, doc="nucleus size")
    max_new_tokens: int = bounded(1024, low=1, doc="a longer answer is cut there")
    batch_size: int = bounded(32, low=1, doc="local models: answers generated at once")
    budget: float = bounded(-1.0, low=-1.0, doc="dollars at most for the pool; -1: no limit")


@dataclass(frozen=True)
class JudgeSection:
    """Who rates the solutions or responses, and by what."""

    model: str = bounded("", doc="a model on a server, or `rubric`: static analysis (docs/judging.md); empty: nobody")
    preferences: tuple[str, ...] = bounded(PREFERENCES, doc="given to the problems in turn")
    base_url: str = bounded("", doc="OpenAI-compatible server, up to /v1")
    api_key_env: str = bounded("OPENAI_API_KEY", doc="environment variable that holds the key")
    concurrency: int = bounded(8, low=1, doc="calls at once")
    timeout: float = bounded(120.0, above=0.0, doc="seconds a call may take")
    retries: int = bounded(8, low=0, doc="attempts after the first")
    price_in: float = bounded(0.0, low=0.0, doc="dollars a million tokens read")
    price_out: float = bounded(0.0, low=0.0, doc="dollars a million tokens written")
    schema: Literal["auto", "yes", "no"] = bounded("auto", doc="whether the server takes a JSON schema")
    mode: Literal["together", "single"] = bounded("together", doc="all responses of a problem in one question, or one")
    second_pass: bool = bounded(False, doc="ask again with the responses in reversed order")
    temperature: float = bounded(0.0, low=0.0, high=5.0, doc="softmax temperature of the judge")
    max_new_tokens: int = bounded(1024, low=1, doc="of one answer of the judge")
    budget: float = bounded(-1.0, low=-1.0, doc="dollars at most for the judge; -1: no limit")

    def member(self) -> Member:
        """The judge as a model on a server."""
        known = {item.name for item in dataclasses.fields(Member)} & {item.name for item in dataclasses.fields(self)}
        return Member(**{name: getattr(self, name) for name in known})


@dataclass(frozen=True)
class GradingSection:
    """A benchmark graded beside reference answers, before and after; by the judge."""

    benchmark: str = bounded("", doc="file or hub name: instruction, preference, a reference; empty: none")
    reference: str = bounded("", doc="column of reference answers, or the model that wrote them")
    limit: int = bounded(0, low=0, doc="the first N of its problems only; 0 takes all")
    max_new_tokens: int = bounded(1024, low=1, doc="a longer answer is cut there")


@dataclass(frozen=True)
class PairingSection:
    """How verdicts and ratings become pairs."""

    rule: str = bounded("all-tests", doc="name of a rule; see docs/pairing.md")
    margin: float = bounded(1.0, above=0.0, doc="rating rules: points between chosen and rejected, at least")
    correctness_pairs: bool = bounded(False, doc="rule `tests-then-rating`: passing over failing solutions as well")
    max_pairs_per_problem: int = bounded(4, low=1, doc="pairs of a problem at most, those of several draws too")
    draws: int = bounded(1, low=1, doc="DSTC: pairs a problem, each from its own half of the samples when above 1")
    min_confidence: float = bounded(0.0, low=0.0, high=1.0, doc="pairs below are dropped and counted")
    max_share: float = bounded(1.0, above=0.0, high=1.0, doc="share of problems whose pairs are kept, the surest")
    max_length_ratio: float = bounded(0.0, low=0.0, doc="pairs with a side more than so many times as long; 0: any")
    allow_shared: bool = bounded(False, doc="let tests that shared a process with the solution ground pairs")
    fence: bool = bounded(True, doc="answers stand in a ```python block, as chat models write them")


@dataclass(frozen=True)
class TrainingSection:
    """DPO, KTO or supervised fine-tuning through TRL."""

    method: Literal["dpo", "rpo", "kto", "sft", "rft", "grpo", "rloo"] = bounded("dpo", doc="see docs/training.md")
    loss: str = bounded("sigmoid", doc="DPO, RPO: TRL's name of the pairs' loss")
    beta: float = bounded(0.1, above=0.0, doc="beta of DPO (arXiv 2305.18290, eq. 7) and KTO (arXiv 2402.01306, eq. 7)")
    chosen_weight: float = bounded(1.0, low=0.0, doc="weight of the chosen answer's negative log-likelihood")
    desirable_weight: float = bounded(0.0, low=0.0, doc="KTO: weight of wanted answers; 0 balances the labels")
    undesirable_weight: float = bounded(0.0, low=0.0, doc="KTO: weight of unwanted answers; 0 balances the labels")
    learning_rate: float = bounded(0.0, low=0.0, doc="0: 5e-7 (LoRA 5e-6), supervised 1e-5 (2e-4), online 1e-6 (2e-5)")
    epochs: float = bounded(1.0, above=0.0, doc="passes over the pairs")
    batch_size: int = bounded(16, low=1, doc="pairs a step, over gradient accumulation")
    micro_batch_size: int = bounded(0, low=0, doc="pairs held at once; 0 takes batch_size; must divide it")
    max_length: int = bounded(1024, low=8, doc="tokens of prompt and answer; longer pairs are dropped and counted")
    warmup_ratio: float = bounded(0.1, low=0.0, high=1.0, doc="share of steps with a rising learning rate")
    scheduler: Literal["cosine", "linear", "constant_with_warmup"] = bounded("cosine", doc="learning-rate schedule")
    weight_decay: float = bounded(0.0, low=0.0, doc="AdamW's decay")
    max_grad_norm: float = bounded(1.0, above=0.0, doc="gradient clipping")
    lora_rank: int = bounded(0, low=0, doc="0 trains all weights")
    lora_alpha: int = bounded(0, low=0, doc="0 takes twice the rank")
    lora_dropout: float = bounded(0.0, low=0.0, high=0.9, doc="dropout inside the adapter")
    quantization: Literal["none", "nf4"] = bounded("none", doc="nf4: 4-bit base weights (QLoRA); needs a GPU")
    gradient_checkpointing: bool = bounded(False, doc="less memory, a third more time")
    rounds: int = bounded(1, low=1, doc="above 1: sample from the last round's model, pair and train again")
    round_start: Literal["last", "base"] = bounded("last", doc="model that a later round starts from and is held to")
    merge_adapter: bool = bounded(False, doc="write an adapter merged into its base model")
    processes: int = bounded(1, low=1, doc="processes that train together on this machine")
    accelerate: str = bounded(
        "", doc="accelerate's configuration file, in place of `processes`; see recipes/accelerate"
    )
    share_prefixes: bool = bounded(True, doc="compute what answers begin with alike once; needs PyTorch's attention")
    attention: Literal["auto", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention", "eager"] = bounded(
        "auto", doc="how attention is computed; `auto` is PyTorch's own where the model knows it"
    )
    report_to: tuple[str, ...] = bounded(("none",), doc="tensorboard, wandb, trackio: TRL's own reporting")
    checkpoint_minutes: float = bounded(15.0, low=0.0, doc="minutes that a kill may cost; 0: no checkpoints")


@dataclass(frozen=True)
class OnlineSection:
    """Methods grpo and rloo: answers are sampled while the model trains, and rewarded by their tests."""

    generations: int = bounded(8, low=2, doc="answers a problem and step; training.batch_size is a multiple")
    reward: Literal["share", "pass", "coarse"] = bounded("share", doc="of tests that pass; all pass; `coarse` values")
    coarse: tuple[float, ...] = bounded((-1.0, -0.6, -0.3, 1.0), doc="does not compile, raises, fails, passes")
    kl: float = bounded(0.0, low=0.0, doc="weight of the divergence from the start")
    temperature: float = bounded(1.0, above=0.0, high=5.0, doc="softmax temperature")
    top_p: float = bounded(1.0, above=0.0, high=1.0, doc="nucleus size")
    max_new_tokens: int = bounded(512, low=1, doc="a longer answer is cut there")


@dataclass(frozen=True)
class ValidationSection:
    """Validation problems that the model answers while it trains; see docs/training.md."""

    problems: str = bounded("", doc="file, hub name or `starter:validation`, never the held-out ones; empty: no watch")
    limit: int = bounded(100, low=0, doc="the first N of them only; 0 takes all")
    samples: int = bounded(4, low=1, doc="sampled answers a problem and probe, by [evaluation]'s decoding")
    every: int = bounded(0, low=0, doc="steps between probes; 0: eight probes a training")
    patience: int = bounded(4, low=0, doc="probes without a better one that end a training; 0: none do")


@dataclass(frozen=True)
class SftSection:
    """Supervised fine-tuning before the preferences."""

    data: str = bounded("", doc="file or hub name of demonstrations; `passing`: samples that pass; empty: none")
    limit: int = bounded(0, low=0, doc="the first N demonstrations only; 0 takes all")
    learning_rate: float = bounded(0.0, low=0.0, doc="0: 1e-5, LoRA 2e-4")
    epochs: float = bounded(1.0, above=0.0, doc="passes over the demonstrations")
    batch_size: int = bounded(16, low=1, doc="answers a step, over gradient accumulation")
    micro_batch_size: int = bounded(0, low=0, doc="answers held at once; 0 takes batch_size; must divide it")
    max_length: int = bounded(1024, low=8, doc="tokens of prompt and answer; longer ones are dropped and counted")
    warmup_ratio: float = bounded(0.1, low=0.0, high=1.0, doc="share of steps with a rising learning rate")
    scheduler: Literal["cosine", "linear", "constant_with_warmup"] = bounded("cosine", doc="learning-rate schedule")
    lora_rank: int = bounded(0, low=0, doc="0 trains all weights; an adapter is merged afterwards")
    lora_alpha: int = bounded(0, low=0, doc="0 takes twice the rank")
    quantization: Literal["none", "nf4"] = bounded("none", doc="nf4: 4-bit base weights (QLoRA); needs a GPU")
    gradient_checkpointing: bool = bounded(False, doc="less memory, a third more time")

    def training(self) -> TrainingSection:
        """The same as settings of a training."""
        own = {name: value for name, value in dataclasses.asdict(self).items() if name not in ("data", "limit")}
        return TrainingSection(method="sft", **own)


@dataclass(frozen=True)
class EvaluationSection:
    """The before-and-after measurement on held-out problems."""

    samples: int = bounded(10, low=1, doc="sampled answers a problem, beside one greedy answer")
    temperature: float = bounded(0.8, above=0.0, high=5.0, doc="softmax temperature")
    top_p: float = bounded(0.95, above=0.0, high=1.0, doc="nucleus size")
    max_new_tokens: int = bounded(512, low=1, doc="a longer answer is cut there")
    k: tuple[int, ...] = bounded((1, 10), low=1, doc="the k of pass@k; each at most `samples`")


@dataclass(frozen=True)
class HubSection:
    """What the cards of model and pairs say beside the figures; `codepref push` uploads them."""

    license: str = bounded("", doc="the hub's word for it, as apache-2.0; empty: the base model's, where that is known")


@dataclass(frozen=True)
class GateSection:
    """When the aligned model is promoted; see docs/training.md."""

    figures: tuple[str, ...] = bounded(("pass@1",), doc="figures that decide, by their names in scores.json")
    margin: float = bounded(1.0, low=0.0, high=100.0, doc="points: not shown to be less than so much worse is refused")
    require_better: bool = bounded(False, doc="promote only what is shown to be better")
