"""Generates programs for the fuzz target, in five families."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import fuzz_grammar
import fuzz_system

ATTACKS = Path(__file__).parents[1] / "attacks"
SHARES = {"mutated": 32, "grammar": 32, "system": 13, "protocol": 13, "oddity": 10}
"""The percentage of programs of each family."""

_ORDINARY = (
    "def f(a, b=0):\n    return a + b\n",
    "def f(values):\n    return sorted(values)[::-1]\n",
    "from typing import List\n\n\ndef f(numbers: List[int]) -> int:\n    total = 0\n    for number in numbers:\n"
    "        if number % 2:\n            total += number\n    return total\n",
    "def f(text):\n    return ' '.join(word.capitalize() for word in text.split())\n",
    "import math\n\ndef f(n, k=2):\n    if n < 2:\n        return False\n    for d in range(2, math.isqrt(n) + 1):\n"
    "        if n % d == 0:\n            return False\n    return True\n",
    "def f(n, *rest):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n",
    "from collections import Counter\n\ndef f(items):\n    counts = Counter(items)\n"
    "    return max(counts, key=lambda item: (counts[item], item))\n",
    "import re\n\ndef f(text, pattern=r'(a|b)*c'):\n    return [m.group(0) for m in re.finditer(pattern, str(text))]\n",
    "def f(grid):\n    grid[0], grid[-1] = grid[-1], grid[0]\n    del grid[1:2]\n    return grid\n",
    "cache = {}\n\ndef f(n, m=1):\n    global cache\n    key = (n, m)\n    if key not in cache:\n"
    "        cache[key] = len(cache)\n    return cache[key]\n",
    "class Stack:\n    def __init__(self, items=()):\n        self.items = list(items)\n\n    def push(self, item):\n"
    "        self.items.append(item)\n        return self\n\n    def __len__(self):\n        return 2\n\n\n"
    "def f(*items):\n    return Stack(items).push(1)\n",
    "def f(n, step=1):\n    while True:\n        try:\n            yield n\n            n += step\n"
    "        except GeneratorExit:\n            return\n",
    "import sys\n\ndef f(*numbers):\n    return sum(numbers)\n\n\nif __name__ == '__main__':\n"
    "    for line in sys.stdin:\n        print(sum(map(int, line.split())))\n",
    "import functools\nimport itertools\n\n@functools.lru_cache(None)\ndef f(n=3, k=2):\n"
    "    return list(itertools.islice(itertools.permutations(range(n), k), 50))\n",
)
_TOKENS = re.compile(r"\w+|\s+|[^\w\s]")
_SPARE = (
    "0 -1 ** // <<1 f x None [] {} () * ** lambda: yield return not while True: del import global 1e999 : = == , \n"
)


@dataclass(frozen=True, slots=True)
class Program:
    """One generated program: its index in the stream, its family and its text."""

    index: int
    family: str
    text: str


def programs(seed: int, count: int, completions: Sequence[str] = ()) -> Iterator[Program]:
    """Yield `count` programs.

    A program depends only on the seed, its index and the corpus, so that a finding can be reproduced.
    completions: programs that define `f` and are added to the corpus, which is the source of the mutations.
    """
    corpus = (*_ORDINARY, *attacks(), *completions)
    for index in range(count):
        yield program(seed, index, corpus)


def program(seed: int, index: int, corpus: Sequence[str]) -> Program:
    """Return the program of `seed` at one index."""
    rng = random.Random(f"{seed}/{index}")
    family = rng.choices(list(SHARES), list(SHARES.values()))[0]
    if family == "mutated":
        return Program(index, family, mutated(rng, corpus))
    return Program(index, family, FAMILIES[family](rng))


def attacks() -> list[str]:
    """Return two programs for each file in a folder of tests/attacks: the honest twin, and all text before it.

    A line at the end of each program gives the function `add` the name `f` too.
    """
    paths = sorted(ATTACKS.glob("*/*.txt"))
    return [part + "\nf = add\n" for path in paths for part in path.read_text().split("# honest twin\n")]


def mutated(rng: random.Random, corpus: Sequence[str]) -> str:
    """Return a program of the corpus after one to four mutations."""
    text = rng.choice(corpus)
    for _ in range(rng.randint(1, 4)):
        text = rng.choice(_MUTATIONS)(rng, text, corpus)
    return text


def _bytes(rng: random.Random, text: str, corpus: Sequence[str]) -> str:
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        data[at : at + rng.randint(0, 4)] = rng.randbytes(rng.randint(0, 3))
    return data.decode("utf-8", rng.choice(("surrogateescape", "replace")))


def _tokens(rng: random.Random, text: str, corpus: Sequence[str]) -> str:
    tokens = _TOKENS.findall(text) or [""]
    others = _TOKENS.findall(rng.choice(corpus)) + _SPARE.split(" ")
    for _ in range(rng.randint(1, 4)):
        at, to = rng.randrange(len(tokens)), rng.randrange(len(tokens))
        way = rng.randrange(4)
        if way == 0:
            tokens[at] = rng.choice(others)
        elif way == 1:
            tokens[at], tokens[to] = tokens[to], tokens[at]
        elif way == 2:
            tokens.insert(at, rng.choice(others))
        else:
            tokens[at] = ""
    return "".join(tokens)


def _splice(rng: random.Random, text: str, corpus: Sequence[str]) -> str:
    mine, other = text.splitlines(True) or [""], rng.choice(corpus).splitlines(True) or [""]
    return "".join(mine[: rng.randrange(len(mine)) + 1] + other[rng.randrange(len(other)) :])


def _cut(rng: random.Random, text: str, corpus: Sequence[str]) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _lines(rng: random.Random, text: str, corpus: Sequence[str]) -> str:
    lines = text.splitlines(True) or [""]
    at = rng.randrange(len(lines))
    way = rng.randrange(4)
    if way == 0:
        lines.insert(rng.randrange(len(lines)), lines[at])
    elif way == 1:
        del lines[at]
    elif way == 2:
        lines[at] = rng.choice((" ", "    ", "\t")) + lines[at]
    else:
        lines[at] = lines[at].lstrip()
    return "".join(lines)


def _numbers(rng: random.Random, text: str, corpus: Sequence[str]) -> str:
    number = rng.choice(("-1", "0", "10**6", "10**30", "1 << 40", "0.5", "1e308", "2**63", "True"))
    return re.sub(r"\b\d+\b", lambda match: number if rng.random() < 0.5 else match[0], text)


_MUTATIONS = (_bytes, _tokens, _tokens, _splice, _cut, _lines, _lines, _numbers, _numbers)

FAMILIES: dict[str, Callable[[random.Random], str]] = {
    "grammar": fuzz_grammar.program,
    "system": fuzz_system.system,
    "protocol": fuzz_system.protocol,
    "oddity": fuzz_system.oddity,
}
