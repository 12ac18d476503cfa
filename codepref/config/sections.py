"""The sections of a recipe except `[engine]`, `[scale]` and `[[pool]]`. Each is a dataclass with documented fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codepref.config.endpoint import ServerSettings
from codepref.config.fields import bounded, shared_values
from codepref.config.pool import Member
from codepref.config.served import ModelServer
from codepref.config.templates import REPAIR_TEMPLATE, SOLUTION_TEMPLATE, TEST_TEMPLATE
from codepref.preferences import PREFERENCES


@dataclass(frozen=True)
class LocalModel:
    """A model on this machine."""

    path: str = bounded(
        "starter", doc="local folder, hub name or GGUF file of a chat model; `starter` is the embedded one"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = bounded("auto", doc="type of the loaded weights")
    device: str = bounded("auto", doc="torch device; `auto` takes the GPU if there is one")


@dataclass(frozen=True)
class ModelSection(ModelServer, LocalModel):
    """The model to align. With `base_url`, servers sample the first round's answers; see docs/how-to/servers.md."""


@dataclass(frozen=True)
class ProblemsSection:
    """The sources of problems. `train` and `heldout` must not share a problem."""

    train: str = bounded(
        "starter:train", doc="problems to sample, pair and train on: file, hub name or `starter:train`"
    )
    train_limit: int = bounded(0, low=0, doc="use only the first N training problems; 0 uses all")
    heldout: str = bounded(
        "starter:heldout", doc="problems for the measurement before and after training, not for training"
    )
    heldout_limit: int = bounded(0, low=0, doc="use only the first N held-out problems; 0 uses all")
    contamination: Literal["drop", "keep"] = bounded(
        "drop", doc="`drop` leaves out training texts that contain held-out problems; `keep` trains on them"
    )
    strict: bool = bounded(False, doc="refuse sources of problems with a bad row, instead of leaving bad rows out")


@dataclass(frozen=True)
class SamplingSection:
    """How the model samples answers to the training problems."""

    solutions: int = bounded(10, low=2, doc="solutions per problem")
    tests: int = bounded(0, low=0, doc="test completions per problem; 0 uses the problems' own tests")
    tests_per_completion: int = bounded(
        5, low=1, doc="largest number of asserts that are kept from one test completion"
    )
    probes: int = bounded(
        60,
        low=0,
        doc="rules with probes, such as `agreement`: about how many calls to add per problem, at most 16 per test",
    )
    temperature: float = bounded(0.8, above=0.0, high=5.0, doc="softmax temperature")
    top_p: float = bounded(0.95, above=0.0, high=1.0, doc="probability mass of nucleus sampling")
    max_new_tokens: int = bounded(512, low=1, doc="tokens of an answer; a longer answer is cut")
    batch_size: int = bounded(128, low=1, doc="answers that are generated at the same time")
    solution_template: str = bounded(SOLUTION_TEMPLATE, doc="user message that asks for a solution")
    test_template: str = bounded(TEST_TEMPLATE, doc="user message that asks for tests")


@dataclass(frozen=True)
class ExecutionSection:
    """The limits of the sandbox, the number of its workers, and whether tests that prove nothing run."""

    cpu_seconds: float = bounded(
        3.0, above=0.0, doc="CPU seconds that a test may take; tests of kind `inputs` can get more"
    )
    memory_mb: int = bounded(
        1024, low=64, doc="MiB of address space that a program may use, beyond the interpreter's own"
    )
    jobs: int = bounded(0, low=0, doc="workers; 0 starts one per core")
    vacuous_tests: Literal["leave-out", "keep"] = bounded(
        "leave-out", doc="`leave-out` leaves out tests that programs pass although they do nothing; `keep` runs them"
    )


@dataclass(frozen=True)
class ChoiceSection:
    """Chooses training problems by their columns, and by verdicts of the model's own solutions before training."""

    where: tuple[str, ...] = bounded(
        (), doc='conditions on the rows of `problems.train`, such as "difficulty=easy|medium" or "rating<1600"'
    )
    min_pass_rate: float = bounded(
        0.0, low=0.0, high=1.0, doc="least share of the model's solutions of a problem that pass all tests"
    )
    max_pass_rate: float = bounded(
        1.0, low=0.0, high=1.0, doc="largest share of a problem's solutions that pass all tests"
    )
    min_distinct: int = bounded(1, low=1, doc="least number of different verdicts of a problem's solutions")

    @property
    def by_verdicts(self) -> bool:
        """Whether the choice needs verdicts of the model's solutions."""
        return self.min_pass_rate > 0 or self.max_pass_rate < 1 or self.min_distinct > 1


@dataclass(frozen=True)
class InstructionsSection:
    """Instructions for a pool of models, instead of problems with tests; see docs/how-to/judge.md."""

    source: str = bounded("", doc="file or hub name with a column of instructions; empty: train on problems.train")
    column: str = bounded("", doc="name of the column; empty: the first of instruction, prompt, problem and question")
    count: int = bounded(0, low=0, doc="instructions to draw with `draw_seed`; 0 takes all in their order")
    draw_seed: int = bounded(42, low=0, doc="seed of the draw; keep it, so that every run draws the same instructions")
    max_chars: int = bounded(0, low=0, doc="drop instructions with more characters; 0 keeps any length")


@dataclass(frozen=True)
class ResponsesSection:
    """How the pool responds to the instructions."""

    per_problem: int = bounded(4, low=2, doc="models drawn for each instruction; all models, if the pool is smaller")
    principles: bool = bounded(True, doc="ask for the instruction's preference in a system prompt")
    temperature: float = bounded(0.8, above=0.0, high=5.0, doc="softmax temperature")
    top_p: float = bounded(0.8, above=0.0, high=1.0, doc="probability mass of nucleus sampling")
    max_new_tokens: int = bounded(1024, low=1, doc="tokens of an answer; a longer answer is cut")
    batch_size: int = bounded(32, low=1, doc="local models: answers that are generated at the same time")
    budget: float = bounded(-1.0, low=-1.0, doc="most dollars that the pool may spend; -1: no limit")


@dataclass(frozen=True)
class JudgeSection(ServerSettings):
    """The judge that rates solutions or responses, and how it rates them."""

    model: str = bounded(
        "", doc="a model on a server, or `rubric` for static analysis (docs/how-to/rubric.md); empty: no judge"
    )
    preferences: tuple[str, ...] = bounded(
        PREFERENCES, doc="qualities to rate; problems or instructions get them in turn"
    )
    mode: Literal["together", "single"] = bounded(
        "together", doc="rate all responses of a problem in one call, or one response per call"
    )
    second_pass: bool = bounded(False, doc="mode `together`: rate again, with the responses in reversed order")
    temperature: float = bounded(0.0, low=0.0, high=5.0, doc="softmax temperature of the judge")
    max_new_tokens: int = bounded(1024, low=1, doc="tokens of one answer of the judge")
    budget: float = bounded(-1.0, low=-1.0, doc="most dollars that the judge may spend; -1: no limit")

    def member(self) -> Member:
        """Return the judge's model and server settings as a member of a pool."""
        return Member(**shared_values(self, ServerSettings))


@dataclass(frozen=True)
class GradingSection:
    """A benchmark with reference answers. The judge grades the model's own answers before and after training."""

    benchmark: str = bounded("", doc="file or hub name with instructions and reference answers; empty: no grading")
    reference: str = bounded("", doc="column of reference answers, or the model that wrote them")
    limit: int = bounded(0, low=0, doc="use only the first N problems; 0 uses all")
    max_new_tokens: int = bounded(1024, low=1, doc="tokens of an answer; a longer answer is cut")


@dataclass(frozen=True)
class PairingSection:
    """How verdicts and ratings become pairs."""

    source: str = bounded("", doc="file or hub name of ready pairs; empty: sample solutions and select pairs by `rule`")
    rule: str = bounded("all-tests", doc="name of the rule; see docs/explanation/pairing.md")
    margin: float = bounded(1.0, above=0.0, doc="rating rules: least difference in points between chosen and rejected")
    correctness_pairs: bool = bounded(
        False, doc="rules `tests-then-rating` and `speed`: also pair passing with failing solutions"
    )
    max_pairs_per_problem: int = bounded(4, low=1, doc="largest number of pairs per problem, over all draws")
    draws: int = bounded(
        1,
        low=1,
        doc="rules of one pair: proposals per problem, each from a random half of solutions and tests; 1 uses all",
    )
    min_confidence: float = bounded(0.0, low=0.0, high=1.0, doc="drop and count pairs with less confidence")
    max_share: float = bounded(
        1.0,
        above=0.0,
        high=1.0,
        doc="largest share of problems that keep pairs; the problems with the most confident pairs keep theirs",
    )
    max_length_ratio: float = bounded(
        0.0, low=0.0, doc="drop pairs with one side longer by more than this factor; 0 drops none"
    )
    max_edit_share: float = bounded(
        1.0, above=0.0, high=1.0, doc="rule `near-miss`: largest edit distance, as a share of the longer program"
    )
    speed_factor: float = bounded(
        2.0, above=1.0, doc="rule `speed`: least factor between the two CPU times, in each repeat"
    )
    min_cpu_ms: float = bounded(
        5.0, low=0.0, doc="rule `speed`: least difference of the two CPU times in milliseconds, in each repeat"
    )
    repair: Literal["none", "add", "only"] = bounded(
        "none", doc="pairs whose prompt asks to correct the rejected program: `add` them to the others, or `only` these"
    )
    repair_template: str = bounded(REPAIR_TEMPLATE, doc="user message of repair pairs")
    balance_length: bool = bounded(False, doc="drop pairs until the longer answer is chosen as often as it is rejected")
    max_easy_share: float = bounded(
        1.0, low=0.0, high=1.0, doc="share of pairs of problems that the model mostly solves; 0.5: as many as of others"
    )
    allow_shared: bool = bounded(False, doc="let pairs rest on tests that shared a process with the solution")
    fence: bool = bounded(
        True, doc="put programs into a ```python block, as chat models do; rated responses stay as they are"
    )


@dataclass(frozen=True)
class SpeedSection:
    """How the CPU time of right solutions is measured for the rule `speed`; see docs/explanation/pairing.md."""

    repeats: int = bounded(5, low=2, doc="measurements of each solution")
    inputs: int = bounded(3, low=1, doc="how many of a problem's inputs to measure on, the largest ones")


@dataclass(frozen=True)
class Objective:
    """What a training optimises."""

    method: str = bounded("dpo", doc="name of the training method; see docs/explanation/training.md")
    loss: str = bounded("sigmoid", doc="DPO, RPO, focal DPO: TRL's name of the loss on pairs")
    beta: float = bounded(
        0.0, low=0.0, doc="beta in the loss of DPO, KTO and the other methods on pairs; 0: 0.1, SimPO 2"
    )
    gamma_ratio: float = bounded(0.5, low=0.0, doc="SimPO: target margin of the rewards, as a share of beta")
    chosen_weight: float = bounded(
        1.0, low=0.0, doc="methods on pairs, KTO: weight of the negative log-likelihood of chosen or wanted answers"
    )
    desirable_weight: float = bounded(0.0, low=0.0, doc="KTO: weight of desirable answers; 0 balances the labels")
    undesirable_weight: float = bounded(0.0, low=0.0, doc="KTO: weight of undesirable answers; 0 balances the labels")


@dataclass(frozen=True)
class Optimization:
    """How a training optimises. The sections [sft] and [training] share these keys."""

    learning_rate: float = bounded(
        0.0,
        low=0.0,
        doc="0: the method's own, such as 5e-7 for DPO (supervised 1e-5, online 1e-6); with LoRA 5e-6 (2e-4, 2e-5)",
    )
    epochs: float = bounded(1.0, above=0.0, doc="passes over the examples")
    batch_size: int = bounded(16, low=1, doc="examples per step, with gradient accumulation")
    micro_batch_size: int = bounded(0, low=0, doc="examples in memory at once; must divide batch_size; 0: batch_size")
    max_length: int = bounded(1024, low=8, doc="tokens of prompt and answer; longer examples are dropped and counted")
    warmup_ratio: float = bounded(0.1, low=0.0, high=1.0, doc="share of steps in which the learning rate rises")
    scheduler: Literal["cosine", "linear", "constant_with_warmup"] = bounded("cosine", doc="learning-rate schedule")
    lora_rank: int = bounded(0, low=0, doc="rank of the LoRA adapter; 0 trains all weights")
    lora_alpha: int = bounded(0, low=0, doc="alpha of the LoRA adapter; 0: twice the rank")
    quantization: Literal["none", "nf4"] = bounded("none", doc="nf4: 4-bit base weights (QLoRA); needs a GPU")
    gradient_checkpointing: bool = bounded(False, doc="save memory; training takes about a third more time")


@dataclass(frozen=True)
class TrainingSection(Optimization, Objective):
    """A training, such as DPO, KTO, supervised fine-tuning or GRPO."""

    weight_decay: float = bounded(0.0, low=0.0, doc="AdamW's weight decay")
    max_grad_norm: float = bounded(1.0, above=0.0, doc="largest norm of the gradient; a larger gradient is scaled down")
    lora_dropout: float = bounded(0.0, low=0.0, high=0.9, doc="dropout inside the adapter")
    rounds: int = bounded(1, low=1, doc="number of rounds; each later round samples from the model of the round before")
    round_start: Literal["last", "base"] = bounded(
        "last",
        doc="start and reference of later rounds: `last`, the model of the round before; `base`, the start of round 1",
    )
    merge_adapter: bool = bounded(False, doc="merge the adapter into its base model before saving")
    processes: int = bounded(1, low=1, doc="processes that train together on this machine")
    accelerate: str = bounded("", doc="accelerate's configuration file, instead of `processes`; see recipes/accelerate")
    share_prefixes: bool = bounded(True, doc="compute the common beginning of answers once; needs PyTorch's attention")
    attention: Literal["auto", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention", "eager"] = bounded(
        "auto", doc="how attention is computed; `auto` is PyTorch's own where the model supports it"
    )
    report_to: tuple[str, ...] = bounded(("none",), doc="none, or TRL's own reports: tensorboard, wandb, trackio")
    checkpoint_minutes: float = bounded(15.0, low=0.0, doc="minutes between checkpoints; 0: no checkpoints")


@dataclass(frozen=True)
class BaselineSection:
    """A second training to compare with: SFT on the chosen answers; see docs/explanation/training.md."""

    sft_on_chosen: bool = bounded(
        False, doc="also train SFT on the chosen answers of the same pairs, and compare the aligned model with it"
    )
    learning_rate: float = bounded(0.0, low=0.0, doc="0: 1e-5, LoRA 2e-4")


@dataclass(frozen=True)
class OnlineSection:
    """Settings of grpo and rloo. These methods sample answers during training, and tests decide the rewards."""

    generations: int = bounded(
        8, low=2, doc="answers per problem and step; training.batch_size must be a multiple of it"
    )
    reward: Literal["share", "pass", "coarse"] = bounded(
        "share",
        doc="`share`: share of tests that pass; `pass`: 1 if all pass, else 0; `coarse`: a value of the key `coarse`",
    )
    coarse: tuple[float, ...] = bounded(
        (-1.0, -0.6, -0.3, 1.0), doc="rewards of answers that do not compile, raise or exceed a limit, fail, or pass"
    )
    kl: float = bounded(0.0, low=0.0, doc="weight of the divergence from the start model")
    temperature: float = bounded(1.0, above=0.0, high=5.0, doc="softmax temperature")
    top_p: float = bounded(1.0, above=0.0, high=1.0, doc="probability mass of nucleus sampling")
    max_new_tokens: int = bounded(512, low=1, doc="tokens of an answer; a longer answer is cut")
    url: str = bounded("", doc="address of a `codepref serve` that runs the answers; empty: they run on this machine")


@dataclass(frozen=True)
class ValidationSection:
    """Problems that the model answers at several steps of its training; see docs/explanation/validation.md."""

    problems: str = bounded(
        "", doc="file, hub name or `starter:validation`, not held-out problems; empty: no validation"
    )
    limit: int = bounded(100, low=0, doc="use only the first N problems; 0 uses all")
    samples: int = bounded(4, low=1, doc="answers per problem and probe, with the decoding of [evaluation]")
    every: int = bounded(0, low=0, doc="steps between probes; 0: at most eight probes, besides one before the training")
    patience: int = bounded(
        4, low=0, doc="training ends after so many probes without a new best; 0: only two worse probes in a row end it"
    )
    chosen_weights: tuple[float, ...] = bounded(
        (), low=0.0, doc="values of training.chosen_weight to try before the training; the best one is taken; []: none"
    )
    trial_share: float = bounded(
        0.25, above=0.0, high=1.0, doc="length of each trial of `chosen_weights`, as a share of training.epochs"
    )


@dataclass(frozen=True)
class Demonstrations:
    """The answers that supervised fine-tuning imitates."""

    data: str = bounded("", doc="file or hub name; `passing`: the model's samples that pass; empty: no fine-tuning")
    limit: int = bounded(0, low=0, doc="use only the first N rows of `data`; 0 uses all; no effect on `passing`")


@dataclass(frozen=True)
class SftSection(Optimization, Demonstrations):
    """Supervised fine-tuning before the training of [training]. A LoRA adapter is then merged into its base model."""

    learning_rate: float = bounded(0.0, low=0.0, doc="0: 1e-5, LoRA 2e-4")

    def training(self) -> TrainingSection:
        """Return the settings of a training with method `sft` and this section's keys of `Optimization`."""
        return TrainingSection(method="sft", **shared_values(self, Optimization))


@dataclass(frozen=True)
class EvaluationSection:
    """The measurement on held-out problems before and after the training."""

    samples: int = bounded(10, low=1, doc="sampled answers per problem, besides one greedy answer")
    temperature: float = bounded(0.8, above=0.0, high=5.0, doc="softmax temperature")
    top_p: float = bounded(0.95, above=0.0, high=1.0, doc="probability mass of nucleus sampling")
    max_new_tokens: int = bounded(512, low=1, doc="tokens of an answer; a longer answer is cut")
    k: tuple[int, ...] = bounded((1, 10), low=1, doc="values of k for pass@k, each at most `samples`")


@dataclass(frozen=True)
class HubSection:
    """Facts for the cards of model and pairs; `codepref push` uploads the cards."""

    license: str = bounded(
        "", doc="license as the hub names it, such as apache-2.0; empty: the model card names a local base model's"
    )


@dataclass(frozen=True)
class GateSection:
    """When the aligned model is promoted; see docs/explanation/validation.md."""

    figures: tuple[str, ...] = bounded(
        ("pass@1",), doc="scores that decide, by their names in the report, such as pass@1"
    )
    margin: float = bounded(
        1.0, low=0.0, high=100.0, doc="percentage points; a promoted model is shown to lose less than this"
    )
    require_better: bool = bounded(False, doc="promote the model only if it is shown to be better")
    beat_baseline: bool = bounded(
        False, doc="promote the model only if it is shown to be better than the baseline of [baseline]"
    )
