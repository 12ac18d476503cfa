"""Expected outputs of tests of the kind "inputs": a reference computes them, a solution's are compared with them."""

from __future__ import annotations

import builtins
import marshal
import operator
from collections.abc import Callable
from typing import Any

from ..wire import proxies
from ..wire.decoder import Decoder
from ..wire.encoder import Encoder, encoded
from ..wire.link import Link
from ..wire.plain_data import U32, Malformed, Unencodable
from .compare import accepted

MAX_CALLS = 64
"""Calls of a batch at most. The first batches are smaller, since most wrong solutions fail early."""

_SELF_EQUAL = frozenset({type(None), bool, int, str, bytes, bytearray, range})
_SEQUENCES = (list, tuple, set, frozenset)


class InputsPlan:
    """The fields of a test of the kind "inputs", and what its reference answered once it was run.

    batches: number of calls, the request, the reference's answer, and whether an answer of the same bytes is right.
    Request and answer stay bytes: most answers are compared as bytes, and a zygote that holds fewer objects forks
    faster. failure: why there are no expected outputs, or "". seconds: the reference's CPU time.
    """

    __slots__ = (
        "arguments",
        "atol",
        "batches",
        "compare",
        "entry_point",
        "failure",
        "inputs",
        "oracle",
        "reference",
        "seconds",
    )

    def __init__(self, entry_point: str, inputs: str, reference: str, atol: float, compare: str, oracle: str) -> None:
        self.entry_point, self.inputs, self.reference = entry_point, inputs, reference
        self.atol, self.compare, self.oracle = atol, compare, oracle
        self.arguments: list[list[Any]] = []
        self.batches: list[tuple[int, bytes, bytes, bool]] = []
        self.failure = "the reference was not run"
        self.seconds = 0.0

    def load(self, data: bytes) -> None:
        """Take over the reference's answers (see `produce`). Raises Malformed."""
        try:
            self.batches, self.arguments, self.seconds = Decoder(data).value()
        except (ValueError, TypeError) as error:
            raise Malformed(str(error)) from None
        self.failure = ""


def produce(link: Link, inputs: InputsPlan) -> bytes:
    """Run the reference on all inputs. Returns batches, expected outputs and CPU seconds, for `InputsPlan.load`.

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
            size = 1  # the outputs hold large values deep inside
            continue
        body = _request("batch", inputs, chunk[:count])
        batches.append((count, body, answer, exact))
        # large outputs end a batch early, so that no answer comes near the limit of a frame
        at, size = at + count, min(2 * size, MAX_CALLS)
    return encoded((batches, calls if inputs.oracle else [], link.used()))


def _request(operation: str, inputs: InputsPlan, calls: list[list[Any]]) -> bytes:
    """The request for a batch of calls. The arguments are marshalled where that keeps them exactly as they are.

    Reading this package's own encoding would cost as much as most calls. marshal is safe in this direction: the
    receiver is trusted less than the sender.
    """
    plain = Encoder(proxies.handle_of, exact=True).encode(calls)
    try:
        marshalled = marshal.dumps(calls)
        same = encoded(marshal.loads(marshalled)) == plain
    except (ValueError, Unencodable, RecursionError):
        same = False
    return encoded((operation, inputs.entry_point, marshalled if same else calls))


def _outputs(link: Link, inputs: InputsPlan, calls: list[list[Any]]) -> tuple[int, bytes, bool]:
    """How many of `calls` the reference has answered (one at least), its answer, and whether an answer of the same
    bytes is surely right.
    """
    link.handed_over = False
    answer = link.batch(_request("front", inputs, calls))
    outputs, failure = link.results(answer)
    if failure is not None:
        raise failure
    if not 0 < len(outputs) <= len(calls):
        raise TypeError("the reference's process sent a malformed answer")
    if inputs.compare == "not_none":
        # Only whether there is an output counts, and the output itself may not cross (a match of `re`).
        present = [(value is not None) or None for value in outputs]
        return len(outputs), b"+" + encoded((present, None)) + U32.pack(0), False
    if link.handed_over:
        raise Unencodable("an output of the reference")
    return len(outputs), answer, inputs.compare != "set" and equals_itself(outputs)


def equals_itself(value: Any) -> bool:
    """Whether a decoded value surely equals every other value of the same bytes.

    NaN does not, alone or inside another value. For arrays, and for types that are not listed here, the answer is
    False, since it is not known.
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

    accept: the oracle of the test, or None. It is called where the comparison does not accept an output.
    describe: called with the failure in words.
    """
    at = 0
    for count, body, expected, exact in inputs.batches:
        answer = link.batch(body)
        if not (exact and answer == expected):
            (outputs, failure), (wanted, _) = map(link.results, (answer, expected))
            for index, values in enumerate(zip(outputs, wanted, strict=False), start=at):
                if not _accepted(inputs, index, values, accept):
                    describe(f"test {inputs.compare}: input {index}: wrong output")
                    return False
            if failure is not None:
                raise failure
            if len(outputs) != len(wanted):
                raise TypeError("the solution's process sent a malformed answer")
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
        return False  # an output that cannot be compared is wrong
