"""Tests of kind "inputs": asking a reference for its outputs, and comparing a solution's with them, batch by batch."""

from __future__ import annotations

import builtins
import marshal
import operator
from collections.abc import Callable
from typing import Any

from . import standins
from .codec import U32, Encoder, Unencodable, encoded
from .compare import accepted
from .plan import InputsPlan
from .remote import Link

MOST_CALLS = 64
"""Calls of a batch at most; few at first, since most wrong solutions fail early."""

_SELF_EQUAL = frozenset({type(None), bool, int, str, bytes, bytearray, range})
_SEQUENCES = (list, tuple, set, frozenset)


def produce(link: Link, inputs: InputsPlan) -> bytes:
    """What `InputsPlan.take` takes: batches, their expected outputs and the reference's CPU seconds, encoded.

    Raises what the reference raises, Unencodable for an output that cannot cross, and what `compile` raises.
    """
    code = compile(inputs.inputs.strip(), "<test>", "eval", dont_inherit=True)
    calls = eval(code, {"__builtins__": builtins})
    link.request("load", "", inputs.reference, [])
    batches = []
    at, size = 0, 1
    while at < len(calls):
        chunk = [list(arguments) for arguments in calls[at : at + size]]
        try:
            count, answer, exact = _outputs(link, inputs, chunk)
        except MemoryError:
            if size == 1:
                raise
            size = 1  # outputs that are large deep inside
            continue
        body = _request("batch", inputs, chunk[:count])
        batches.append((count, body, answer, exact))
        # large outputs end a batch early: none comes near the limit of a frame
        at, size = at + count, min(2 * size, MOST_CALLS)
    return encoded((batches, calls if inputs.oracle else [], link.used()))


def _request(operation: str, inputs: InputsPlan, calls: list[list[Any]]) -> bytes:
    """A batch of calls, marshalled where that keeps them exactly as they are: reading this codec's own form would cost
    as much as most calls. marshal may be given to a process that is trusted less than the one that sends.
    """
    plain = Encoder(standins.handle_of, exact=True).encode(calls)
    try:
        marshalled = marshal.dumps(calls)
        same = encoded(marshal.loads(marshalled)) == plain
    except (ValueError, Unencodable, RecursionError):
        same = False
    return encoded((operation, inputs.entry_point, marshalled if same else calls))


def _outputs(link: Link, inputs: InputsPlan, calls: list[list[Any]]) -> tuple[int, bytes, bool]:
    """How many of `calls` the reference has answered (one at least), its answer, and whether the same bytes from a
    solution are right without a look.
    """
    link.handed_over = False
    answer = link.batch(_request("front", inputs, calls))
    outputs, failure = link.results(answer)
    if failure is not None:
        raise failure
    if not 0 < len(outputs) <= len(calls):
        raise TypeError("the reference's process answered out of form")
    if inputs.compare == "not_none":
        # only this much of the output counts, and it may be something that cannot cross (a match of `re`)
        told = [(value is not None) or None for value in outputs]
        return len(outputs), b"+" + encoded((told, None)) + U32.pack(0), False
    if link.handed_over:
        raise Unencodable("an output of the reference")
    return len(outputs), answer, inputs.compare != "set" and equals_itself(outputs)


def equals_itself(value: Any) -> bool:
    """Whether a decoded value surely equals every other one of the same bytes. NaN does not, alone or deep inside;
    arrays do not say; of what is not listed here it is not known.
    """
    try:
        return _equals_itself(value)
    except RecursionError:
        return False


def _equals_itself(value: Any) -> bool:
    kind = type(value)
    if kind in _SELF_EQUAL:
        return True
    if kind in (float, complex):
        return bool(value == value)
    if kind is dict:
        return _equals_itself(list(value)) and _equals_itself(list(value.values()))
    if kind not in _SEQUENCES:
        return False
    kinds = set(map(type, value))
    if kinds <= _SELF_EQUAL:
        return True
    if kinds <= {*_SELF_EQUAL, float, complex}:
        return all(map(operator.eq, value, value))
    return all(map(_equals_itself, value))


def all_right(
    link: Link, inputs: InputsPlan, accept: Callable[..., Any] | None, describe: Callable[[str], None]
) -> bool:
    """Whether a solution's outputs are right for all inputs. Raises the solution's exception.

    accept: the oracle of the test, asked where equality does not accept; None without one.
    """
    at = 0
    for count, body, expected, exact in inputs.batches:
        answer = link.batch(body)
        if not (exact and answer == expected):
            (given, failure), (wanted, _) = map(link.results, (answer, expected))
            for place, values in enumerate(zip(given, wanted, strict=False), start=at):
                if not _accepted(inputs, place, values, accept):
                    describe(f"test {inputs.compare}: input {place}: wrong output")
                    return False
            if failure is not None:
                raise failure
            if len(given) != len(wanted):
                raise TypeError("the solution's process answered out of form")
        at += count
    return True


def _accepted(inputs: InputsPlan, at: int, values: tuple[Any, Any], accept: Callable[..., Any] | None) -> bool:
    output, expected = values

    def oracle() -> Any:
        assert accept is not None
        try:
            return accept(inputs.arguments[at], output, expected, inputs.atol)
        except Exception:  # noqa: BLE001 - an oracle that raises does not accept
            return False

    try:
        return accepted(output, expected, inputs.atol, inputs.compare, oracle if accept is not None else None)
    except (TypeError, ValueError, RecursionError):
        return False  # an output that cannot even be compared is wrong
