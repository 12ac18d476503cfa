"""Restores the types of MBPP+ arguments. JSON turned tuples and sets into lists, and some numbers into text.

The types of each task are facts about the benchmark. They come from EvalPlus 0.3.1 (`mbpp_deserialize_inputs` in
`evalplus/data/mbpp.py`), and a test compares them with the Python literals of MBPP+ OriginFmt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Arguments = list[Any]
_Restore = Callable[[Arguments], Sequence[Any]]


def restore_arguments(task_id: str, inputs: Sequence[Arguments]) -> list[Arguments]:
    """Return the list of argument lists with the types that the task's function takes.

    task_id: such as "Mbpp/2". Raises ValueError if the part after the last slash is not a whole number. Conversions can
    raise exceptions such as TypeError and ValueError for arguments that do not fit the task.
    """
    restore = _RESTORE.get(int(task_id.rpartition("/")[2]))
    return [list(arguments) if restore is None else list(restore(arguments)) for arguments in inputs]


def _tuples(values: Sequence[Any]) -> list[Any]:
    """Return a list of the values, each turned into a tuple."""
    return [tuple(value) for value in values]


def _tuple_of_tuples(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_tuples(values))


def _deep_tuple(value: Any) -> Any:
    return tuple(map(_deep_tuple, value)) if isinstance(value, list) else value


def _tuple_with_tuples(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return the values as a tuple, in which values that are lists become tuples too."""
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


def _sets(values: Sequence[Any]) -> list[Any]:
    """Turn each list that is not empty into a set, and each other value into an empty dict. Return the results.

    The task's tests write `{}` where they mean an empty set.
    """
    return [set(value) if isinstance(value, list) and value else {} for value in values]


def _values_tuple(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) for key, value in mapping.items()}


def _every(convert: Callable[[Any], Any]) -> _Restore:
    return lambda arguments: [convert(argument) for argument in arguments]


def _first(convert: Callable[[Any], Any]) -> _Restore:
    return lambda arguments: [convert(arguments[0]), *arguments[1:]]


def _second(convert: Callable[[Any], Any]) -> _Restore:
    return lambda arguments: [arguments[0], convert(arguments[1]), *arguments[2:]]


def _float_and_complex(arguments: Arguments) -> Arguments:
    return [float(arguments[0]), complex(arguments[1])]


_GROUPS: tuple[tuple[_Restore, tuple[int, ...]], ...] = (
    (
        _every(tuple),
        (2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809),
    ),
    (_every(_tuples), (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780)),
    (_first(_tuples), (75, 413, 444, 753)),
    (_second(tuple), (106, 750)),
    (_first(_sets), (115,)),
    (_float_and_complex, (124,)),
    (_first(tuple), (250, 307, 405, 446, 617, 720, 763, 808)),
    (_every(_tuple_of_tuples), (259, 401, 445)),
    (_first(_tuple_with_tuples), (278,)),
    (_first(_values_tuple), (722,)),
    (_first(complex), (252,)),
    (_every(_deep_tuple), (580, 615, 791)),
)
_RESTORE: dict[int, _Restore] = {task: restore for restore, tasks in _GROUPS for task in tasks}
