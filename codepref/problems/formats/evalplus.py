"""HumanEval+ and MBPP+ with inputs (arXiv 2305.01210). The expected outputs come from the canonical solution."""

from __future__ import annotations

import sys

from codepref.errors import UserError
from codepref.problems.fields import Row, entry_point_field, prompt_parts, task_id_field, text_field
from codepref.problems.formats.base import Format
from codepref.problems.inputs import InputsTest, encode_inputs, encode_json_inputs
from codepref.problems.mbpp_arguments import restore_arguments
from codepref.problems.oracles import comparison
from codepref.problems.repairs import repair
from codepref.records import Problem, Test


def read(row: Row, where: str) -> Problem:
    """Return the problem of one row. It has up to two tests, "base" and "plus", of kind "inputs"."""
    task_id = task_id_field(row, where, prefix="Mbpp/")
    prompt, entry_point = text_field(row, "prompt", where), entry_point_field(row, where)
    solution = text_field(row, "canonical_solution", where)
    is_mbpp = task_id.startswith("Mbpp/")
    program = solution if is_mbpp else prompt + solution
    atol = row.get("atol") or 0
    if isinstance(atol, bool) or not isinstance(atol, int | float):
        raise UserError(f"{where}: atol must be a number, not {atol!r}")
    if not 0 <= atol <= sys.float_info.max:
        raise UserError(f"{where}: atol must be a finite number that is not negative")
    compare, oracle = comparison(task_id, entry_point)
    tests, repairs = [], list[str]()
    for test_id in ("base", "plus"):
        inputs = row.get(f"{test_id}_input") or []  # the plus inputs of Mbpp/793 are {}
        if not inputs:
            continue
        try:
            text = encode_inputs(restore_arguments(task_id, inputs)) if is_mbpp else encode_json_inputs(inputs)
        except (TypeError, ArithmeticError, ValueError, AttributeError, LookupError) as error:
            raise UserError(
                f"{where}: {test_id}_input must be a list of argument lists of {task_id} ({error})"
            ) from None
        except RecursionError:
            raise UserError(f"{where}: {test_id}_input is nested too deeply") from None
        text, names = repair(task_id, text)
        repairs += names
        test = InputsTest(entry_point, text, program, float(atol), compare, oracle)
        tests.append(Test(task_id, test_id, test.to_source(), "inputs"))
    parts = prompt_parts("" if is_mbpp else prompt, entry_point)
    return Problem(
        task_id=task_id,
        prompt=plain_prompt(prompt) if is_mbpp else prompt,
        entry_point=entry_point,
        tests=tuple(tests),
        gold=program,
        style="instruct" if is_mbpp else "complete",
        helpers=parts.helpers,
        preamble=parts.preamble,
        meta={"format": "evalplus", **({"repaired": repairs} if repairs else {})},
    )


def plain_prompt(prompt: str) -> str:
    """Return the request of an MBPP+ prompt. MBPP+ publishes the request inside a docstring."""
    return prompt.strip().removeprefix('"""').removesuffix('"""').strip() + "\n"


FORMAT = Format(
    "HumanEval+ and MBPP+ with inputs",
    frozenset({"task_id", "prompt", "entry_point", "canonical_solution", "base_input", "plus_input", "atol"}),
    read,
)
