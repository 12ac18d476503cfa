"""Expected outputs of tests of the kind "inputs".

A reference solution computes the expected outputs. The outputs of other solutions are compared with them.
"""

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
"""The largest number of calls in a batch. The first batches are smaller, since a wrong solution often fails early."""

_SELF_EQUAL = frozenset({type(None), bool, int, str, bytes, bytearray, range})
_SEQUENCES = (list, tuple, set, frozenset)


class InputsPlan:
    """The fields of a test of the kind "inputs". After `load`, also the answers of its reference solution.

    The request and the answer of a batch are kept as bytes, for two reasons. An answer with the expected bytes need not
    be decoded, and a zygote that holds fewer objects forks faster.

    Attributes:
        batches: for each batch the number of calls, the request, the expected answer, and whether an answer with the
        same bytes is certainly right.
        arguments: the arguments of all calls. Empty if the test has no oracle.
        failure: the reason why there are no expected outputs, or "".
        seconds: the CPU time, in seconds, of the process that ran the reference.
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
        self.failure = "the reference solution was not run"
        self.seconds = 0.0

    def load(self, data: bytes) -> None:
        """Read the data that `produce` returned. Raises Malformed."""
        try:
            self.batches, self.arguments, self.seconds = Decoder(data).value()
        except (ValueError, TypeError) as error:
            raise Malformed(str(error)) from None
        self.failure = ""


def produce(link: Link, inputs: InputsPlan) -> bytes:
    """Run the reference on all inputs. Return data that `InputsPlan.load` reads.

    The data are the batches with the expected answers, the arguments of all calls if there is an oracle, and the CPU
    time of the reference in seconds.
    Raises what the reference raises, what compiling, evaluating and encoding the inputs raises, Unencodable for an
    output that cannot cross, and TypeError for an answer with a wrong number of outputs.
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
            size = 1  # the answer may have been too large, so the next batch has one call
            continue
        body = _request("batch", inputs, chunk[:count])
        batches.append((count, body, answer, exact))
        # The solution's process ends a batch early when its outputs are large, to keep answers below the size limit.
        at, size = at + count, min(2 * size, MAX_CALLS)
    return encoded((batches, calls if inputs.oracle else [], link.used()))


def _request(operation: str, inputs: InputsPlan, calls: list[list[Any]]) -> bytes:
    """Return the encoded request for a batch of calls. The arguments are marshalled if that preserves them exactly.

    marshal is read faster than this package's own encoding. It is safe in this direction, since the sender of the
    request is trusted more than its receiver.
    """
    plain = Encoder(proxies.handle_of, exact=True).encode(calls)
    try:
        marshalled = marshal.dumps(calls)
        same = encoded(marshal.loads(marshalled)) == plain
    except (ValueError, Unencodable, RecursionError):
        same = False
    return encoded((operation, inputs.entry_point, marshalled if same else calls))


def _outputs(link: Link, inputs: InputsPlan, calls: list[list[Any]]) -> tuple[int, bytes, bool]:
    """Have the reference answer a batch of calls.

    Return how many of the calls it has answered (at least one), the expected answer as bytes, and whether a solution's
    answer with the same bytes is certainly right. Raises what `produce` raises.
    """
    link.handed_over = False
    answer = link.batch(_request("front", inputs, calls))
    outputs, failure = link.results(answer)
    if failure is not None:
        raise failure
    if not 0 < len(outputs) <= len(calls):
        raise TypeError("the reference's process sent an answer with a wrong number of outputs")
    if inputs.compare == "not_none":
        # It only matters whether an output is None. The output itself may be unable to cross, such as a match of `re`.
        present = [(value is not None) or None for value in outputs]
        return len(outputs), b"+" + encoded((present, None)) + U32.pack(0), False
    if link.handed_over:
        raise Unencodable("an output of the reference")
    return len(outputs), answer, inputs.compare != "set" and equals_itself(outputs)


def equals_itself(value: Any) -> bool:
    """Return whether a decoded value certainly equals every other value that was decoded from the same bytes.

    The result is False for NaN and for an instance of a type that this function does not check, such as an array. It is
    also False for a container that holds such a value.
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
    """Return whether a solution's outputs are right for all inputs.

    accept: the oracle of the test, or None. It is called for an output that the comparison does not accept, unless the
    comparison is "not_none" or raises an exception.
    describe: called with the failure in words if an output is wrong.
    Raises the exception that the solution raised, unless an output before it is wrong. Raises TypeError for an answer
    with a wrong number of outputs.
    """
    at = 0
    for count, body, expected, exact in inputs.batches:
        answer = link.batch(body)
        if not (exact and answer == expected):
            (outputs, failure), (wanted, _) = map(link.results, (answer, expected))
            for index, values in enumerate(zip(outputs, wanted, strict=False), start=at):
                if not _accepted(inputs, index, values, accept):
                    describe(f"wrong output for input {index} (comparison {inputs.compare!r})")
                    return False
            if failure is not None:
                raise failure
            if len(outputs) != len(wanted):
                raise TypeError("the solution's process sent an answer with a wrong number of outputs")
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
    except (TypeError, ValueError, RecursionError, OverflowError):
        return False  # an output that cannot be compared is wrong
