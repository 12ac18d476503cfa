"""Converts rows of solutions from other programs to rows with `task_id`, and `solution` or `completion`. Pure.

`solution` is a whole program, and `completion` is a model's own text. A row that holds several samples becomes several
rows. A sample that is null becomes a `completion` that is null, which counts as an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from codepref.errors import UserError
from codepref.problems.columns import is_list
from codepref.problems.left_out import left_out_of
from codepref.records import Problem

Row = Mapping[str, Any]

PROGRAMS = ("solution", "code", "program", "solutions", "code_list")
"""Keys whose value is a whole program, null, or a list of these. `code_list` is LiveCodeBench's."""

ANSWERS = (
    "completion",
    "response",
    "generation",
    "generated_text",
    "output",
    "answer",
    "llm_response",
    "prediction",
    "completions",
    "responses",
    "generations",
    "samples",
    "outputs",
    "output_list",
)
"""Keys whose value is a model's own text, null, or a list of these. `samples` is CodeT's."""

IDS = ("task_id", "problem_id", "question_id", "id", "name")


def solution_rows(rows: Iterable[tuple[str, Row]], problems: Sequence[Problem]) -> Iterator[tuple[str, Row]]:
    """Yield (place, row) for each sample in rows.

    If a row has no known key, or has a single value as `solution` or `completion`, only its id can change.
    A row without an id gets the id of the problem with the same prompt, if only one problem has this prompt. The id and
    the prompt of a row of lm-evaluation-harness's log (`doc`, `resps`) are those in its document.
    """
    prompts: dict[str, str | None] = {}
    for problem in problems:
        prompt = problem.prompt.strip()
        prompts[prompt] = None if prompt in prompts else problem.task_id
    for where, row in rows:
        yield from _samples(where, _plain(row), prompts)


def _plain(row: Row) -> Row:
    """Return a row of lm-evaluation-harness's log with its samples and the id and prompt of its document.

    The samples are under `completions`, or under `solutions` if the row has only `filtered_resps`. Other rows are
    returned unchanged.
    """
    document = row.get("doc")
    if not isinstance(document, Mapping) or not ("resps" in row or "filtered_resps" in row):
        return row
    named = {key: document[key] for key in (*IDS, "prompt") if document.get(key) is not None}
    # `resps` are the model's own texts; `filtered_resps` may be programs made of these texts and the prompt
    if resps := _flat(row.get("resps")):
        return {**named, "completions": resps}
    return {**named, "solutions": _flat(row.get("filtered_resps"))}


def _flat(value: Any) -> list[Any]:
    if is_list(value):
        return [text for item in value for text in (_flat(item) if is_list(item) else [item])]
    return [] if value is None else [value]


def _samples(where: str, row: Row, prompts: Mapping[str, str | None]) -> Iterator[tuple[str, Row]]:
    # a row with a single value in one of these keys holds one sample; if its program is null, `completion` counts
    if any(name in row and not is_list(row[name]) for name in ("solution", "completion")):
        yield where, _with_id(row, prompts)
        return
    name = next((name for name in (*PROGRAMS, *ANSWERS) if row.get(name) is not None), None)
    name = name or next((name for name in (*PROGRAMS, *ANSWERS) if name in row), None)
    if name is None:
        yield where, _with_id(row, prompts)
        return
    key, value = "solution" if name in PROGRAMS else "completion", row[name]
    named = _with_id({other: row[other] for other in (*IDS, "prompt") if other in row}, prompts)
    for place, sample in enumerate(value if is_list(value) else [value]):
        if isinstance(sample, Mapping):  # a response of a pool of models, or a choice
            sample = next((sample[inner] for inner in (*PROGRAMS, *ANSWERS) if inner in sample), sample)
        yield (
            f"{where} {name}[{place}]" if is_list(value) else where,
            {
                **named,
                # a null program becomes a null completion, which counts as empty
                ("completion" if sample is None else key): sample,
            },
        )


def _with_id(row: Row, prompts: Mapping[str, str | None]) -> Row:
    """Return the row with a task_id from another key of IDS, or else that of the only problem with the row's prompt.

    A row that has a task_id, or for which none is found, is returned unchanged.
    """
    if row.get("task_id") is not None:
        return row
    task = next((row[name] for name in IDS if isinstance(row.get(name), str | int) and row[name] != ""), None)
    if task is None and isinstance(row.get("prompt"), str):
        task = prompts.get(row["prompt"].strip())
    return row if task is None else {**row, "task_id": task}


def rows_by_place(document: Sequence[Any], problems: Sequence[Problem], source: str) -> Iterator[tuple[str, Row]]:
    """Yield (place, row) for a list that holds the programs of each problem, in the order of the problems.

    This is the form of `generations.json` of bigcode-evaluation-harness. An element is a list of programs, or one
    program. Raises UserError if the list has more elements than there are problems, and if it cannot be known which
    problems they belong to, since rows of the problems were left out.
    """
    tasks = _tasks_in_order(problems, len(document), source)
    for place, programs in enumerate(document):
        for number, program in enumerate(programs if is_list(programs) else [programs]):
            key = "completion" if program is None else "solution"
            yield f"{source}[{place}][{number}]", {"task_id": tasks[place], key: program}


def _tasks_in_order(problems: Sequence[Problem], count: int, source: str) -> list[str]:
    known, left_out = [problem.task_id for problem in problems], left_out_of(problems)
    if not left_out.rows and count <= len(known):
        return known
    numbers = {int(end): task for task in known if (end := task.rpartition("/")[2]).isdecimal()}
    missing = {int(end): task for task in left_out.tasks if (end := task.rpartition("/")[2]).isdecimal()}
    whole = {**missing, **numbers}
    all_numbered = len(numbers) == len(known) and len(whole) == len(known) + left_out.rows
    if left_out.rows and all_numbered and count <= len(whole):
        return [whole[number] for number in sorted(whole)]
    reason = (
        f"{left_out.rows:,} rows of the problems were left out"
        if left_out.rows
        else f"there are only {len(known):,} problems"
    )
    raise UserError(
        f"{source}: is a list of programs for {count:,} problems in which only the order says which problem is meant, "
        f"and {reason}. Give all problems of the data set, or lines "
        '{"task_id", "solution"}'
    )
