"""Draws the texts from which the starter model learns. Each is an instruction with code, tests, or code and a test."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from codepref.starter.grammar import Specification, reference, run_steps, split_specifications, step_function
from codepref.starter.operations import VARIABLES, Kind

ENTRY_POINTS = ("solve", "task", "run", "work", "answer", "compute", "process", "apply", "convert", "handle")

OPENINGS: dict[Kind, tuple[str, ...]] = {
    "list": ("given a list of numbers,", "for a list of integers,", "with the numbers xs,"),
    "string": ("given a string,", "for a word,", "with the text s,"),
    "words": ("given a list of words,", "for a list of strings,", "with the words ws,"),
    "dict": ("given a dict of numbers,", "for a dict from names to numbers,", "with the dict d,"),
    "number": ("given a number,", "for an integer,", "with the number n,"),
}
JOINERS = (", then ", " and then ", "; next ")

_WORD_LIST = (
    "ant ape arm art bag bed bee big bus cap car cow cup day dog ear eat egg elf fan fox fun gas hat hen ice ink jam "
    "key kid leg lip map mud net nut oak oil owl pan pen pie pig rat red sea six sky sun tea toe van web yak zip area "
    "baby bird blue cake door duck easy fire fish goat gold iron isle kiwi lake leaf lion milk nose oven pear rain "
    "rose sand ship snow star tree wind apple bread camel eagle lemon ocean piano river tiger window"
)
WORDS = tuple(_WORD_LIST.split())
"""Words for the inputs of drawn tests."""

ASSERTS = 2
"""Largest number of tests in an answer."""

MAX_TEST_CHARS = 128
"""Largest number of characters of a test with its comment. Longer tests are not used."""

OPERATION_DECAY, PHRASE_DECAY, FORM_DECAY = 0.4, 0.4, 1.0
"""Exponents with which the weights of operations, phrases and forms fall. See `falling_choice` for the weights."""

FOLLOWED_SHARE = 0.5
"""Approximate share of the answers in code after which a test follows.

The pairing rule `dstc` makes such answers, so the model must know them.
"""

INPUT_SIZES = ((5, 15, 50, 30, 0), (5, 10, 25, 40, 20))
"""Weights of the sizes 0 to 4 of a drawn input. The first row is for words and dicts, the second one for lists."""


@dataclass(frozen=True, slots=True)
class Example:
    """One text to learn from.

    Attributes: `prompt` is the problem's text. `answer` holds tests if `is_test` is true. Otherwise it holds code, and
    in some examples a test follows the code.
    """

    prompt: str
    answer: str
    is_test: bool


def falling_choice(generator: random.Random, count: int, decay: float) -> int:
    """Return a number in range(count), which is drawn with the weight (number + 1) ** -decay."""
    return generator.choices(range(count), [(place + 1) ** -decay for place in range(count)])[0]


def instruction(specification: Specification, entry_point: str, generator: random.Random, decay: float = 0.0) -> str:
    """Return a randomly drawn phrasing of a specification. decay: see `falling_choice`; 0 gives equal weights."""
    openings = OPENINGS[specification.kind]
    phrases = [step.phrases[falling_choice(generator, len(step.phrases), decay)] for step in specification.steps]
    opening = openings[falling_choice(generator, len(openings), decay)]
    joiner = JOINERS[falling_choice(generator, len(JOINERS), decay)]
    return f"{entry_point}({VARIABLES[specification.kind]}): {opening} {joiner.join(phrases)}."


def draw_input(kind: Kind, generator: random.Random) -> Any:
    """Return a small random input of this kind."""
    size = generator.choices((0, 1, 2, 3, 4), INPUT_SIZES[kind == "list"])[0]
    if kind == "list":
        return [generator.randint(0, 9) if generator.random() < 0.7 else generator.randint(-9, 9) for _ in range(size)]
    if kind == "string":
        return generator.choice(WORDS)
    if kind == "words":
        return [generator.choice(WORDS) for _ in range(min(size, 3))]
    if kind == "dict":
        return {generator.choice(WORDS): generator.randint(0, 9) for _ in range(min(size, 3))}
    return generator.randint(0, 12)


def assert_line(entry_point: str, value: Any, expected: Any) -> str:
    """Return one test as a line of Python."""
    return f"assert {entry_point}({value!r}) == {expected!r}"


def worked_line(specification: Specification, value: Any) -> str:
    """Return a comment that holds the input and the value after each step of the specification."""
    values = [value]
    for step in specification.steps:
        values.append(step_function(step.forms[0])(values[-1]))
    return "# " + " > ".join(map(repr, values))


def test_lines(specification: Specification, entry_point: str, generator: random.Random) -> list[str]:
    """Return at most ASSERTS different true tests on drawn inputs, each after the comment of `worked_line`."""
    lines: dict[str, None] = {}
    for _ in range(20 * ASSERTS):
        value = draw_input(specification.kind, generator)
        line = assert_line(entry_point, value, run_steps(specification, value))
        line = f"{worked_line(specification, value)}\n{line}"
        if len(line) <= MAX_TEST_CHARS:
            lines[line] = None
        if len(lines) == ASSERTS:
            break
    return list(lines)


def draw_examples(seed: int, test_share: float) -> Iterator[Example]:
    """Yield examples without end. Each draws its specification from the "pretrain" split.

    test_share: the probability that an example is drawn as one whose answer is tests. Such a draw is skipped if no test
    is short enough.
    """
    generator = random.Random(seed)
    specifications = split_specifications("pretrain")
    cumulative = list(itertools.accumulate(map(_frequency, specifications)))
    while True:
        specification = generator.choices(specifications, cum_weights=cumulative)[0]
        entry_point = generator.choice(ENTRY_POINTS)
        prompt = instruction(specification, entry_point, generator, PHRASE_DECAY)
        is_test = generator.random() < test_share
        if is_test:
            answer = "\n".join(test_lines(specification, entry_point, generator))
        else:
            answer = _answer(specification, entry_point, generator)
        if answer:
            yield Example(prompt, answer, is_test)


def _answer(specification: Specification, entry_point: str, generator: random.Random) -> str:
    """Return code for the specification. In about FOLLOWED_SHARE of the draws, a test follows the code."""
    code = reference(specification, entry_point, lambda step: falling_choice(generator, len(step.forms), FORM_DECAY))
    if generator.random() >= FOLLOWED_SHARE:
        return code
    lines = test_lines(specification, entry_point, generator)
    return "\n".join([code, lines[-1].splitlines()[-1]]) if lines else code


def _frequency(specification: Specification) -> float:
    frequency = 1.0
    for step in specification.steps:
        frequency *= (step.rank + 1) ** -OPERATION_DECAY
    return frequency * _LENGTH_WEIGHTS[len(specification.steps)]


_LENGTH_WEIGHTS: Sequence[float] = (0.0, 1.0, 1.0, 4.0)
