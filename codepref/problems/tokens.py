"""The tokens of a program, and the edit distance between two sequences of tokens. Pure."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Hashable, Sequence

_DROPPED = (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER)
_LAYOUT = {tokenize.NEWLINE: "<newline>", tokenize.INDENT: "<indent>", tokenize.DEDENT: "<dedent>"}


def code_tokens(program: str, *, layout: bool = True) -> tuple[str, ...]:
    """Return the tokens of a program without comments and blank lines.

    layout: whether the ends of logical lines and the changes of indentation are tokens too. They are written as
    "<newline>", "<indent>" and "<dedent>". If Python's tokenizer fails at some place, the text after this place is
    split at white space, with its comments.

    >>> code_tokens("def f(x):\\n    return x  # done")[-5:]
    ('<indent>', 'return', 'x', '<newline>', '<dedent>')
    """
    kept: list[str] = []
    line, column = 1, 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(program).readline):
            line, column = token.end
            if token.type in _LAYOUT:
                kept += [_LAYOUT[token.type]] if layout else []
            elif token.type not in _DROPPED:
                kept.append(token.string)
    except (tokenize.TokenError, SyntaxError, ValueError):
        # the tokenizer failed here: the text before this place gives tokens, the text after it gives words
        rest = program.splitlines()[line - 1 :]
        kept += " ".join([rest[0][column:], *rest[1:]] if rest else []).split()
    return tuple(kept)


def edit_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """Return the least number of items to insert, delete or replace that turns `first` into `second` (Levenshtein).

    The function computes a whole column of the table of distances at once, as bits of two integers (Hyyrö, "Explaining
    and extending the bit-parallel approximate string matching algorithm of Myers", 2001). Row i of the column is the
    distance between the first i items of `first` and the items of `second` so far. Bit i of `plus` says whether it
    grows by 1 from row i to row i + 1, and bit i of `minus` whether it falls by 1.

    >>> edit_distance("sunday", "saturday")
    3
    """
    places: dict[Hashable, int] = {}
    for at, item in enumerate(first):
        places[item] = places.get(item, 0) | 1 << at
    size = len(first)
    every, last = (1 << size) - 1, 1 << size >> 1
    plus, minus, distance = every, 0, size
    if not size:
        return len(second)
    for item in second:
        equal = places.get(item, 0)
        vertical = equal | minus
        horizontal = (((equal & plus) + plus) ^ plus) | equal
        up = minus | (~(horizontal | plus) & every)
        down = plus & horizontal
        distance += bool(up & last) - bool(down & last)
        up, down = (up << 1 | 1) & every, down << 1 & every
        plus = down | (~(vertical | up) & every)
        minus = up & vertical
    return distance
