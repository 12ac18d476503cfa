"""`POST /judge` and `POST /run_code`: from the body of a request to the body of its answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from typing import Any

from codepref.errors import UserError
from codepref.execution.limits import Limits
from codepref.execution.stream import Work
from codepref.execution.tasks import Task
from codepref.records import (
    ERROR,
    INFRASTRUCTURE,
    MEMORY,
    PASS,
    SKIPPED,
    TIMEOUT,
    Problem,
    Solution,
    Test,
    Verdict,
)
from codepref.service.bodies import CommandResult, JudgeAnswer, JudgeItem, RunCodeAnswer, RunCodeBody, VerdictBody
from codepref.service.pool import Pool
from codepref.service.problems import Prepared, Problems
from codepref.service.settings import ServiceSettings

MAX_DETAIL = 500
"""The length at which a `Verdict.detail` is cut in an answer, in characters."""

RUN_PROBLEM = Problem("run", "", "main", tests=(Test("run", "0", "", "run"),), style="program")
"""The problem of all programs of `/run_code`."""

MAX_VERDICTS = 4_000_000
"""The largest number of solutions times tests of one problem in a request. The server holds all their codes and digests
in memory, which takes five bytes for each."""

KILLED = -9
"""The return code in the answer about a program that ended without an exit status, for example at its memory limit.
The answer about a program that ran out of time has no return code."""


async def judge(items: Sequence[JudgeItem], problems: Problems, pool: Pool) -> list[JudgeAnswer]:
    """Return the verdicts of all solutions.

    Raises UserError for wrong input, Full if the queue has no room for the solutions, and what `Pool.run` raises.
    """
    count = sum(len(item.solutions) for item in items)
    if count > pool.capacity:
        raise UserError(f"a request may have at most {pool.capacity} solutions on this server, not {count}")
    with pool.room(count):
        return await _gather([_judge_one(item, problems, pool) for item in items])


async def _gather(coroutines: list[Coroutine[Any, Any, JudgeAnswer]]) -> list[JudgeAnswer]:
    """Return the results of all coroutines, in order. The first exception cancels the others."""
    if len(coroutines) == 1:
        return [await coroutines[0]]
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _judge_one(item: JudgeItem, problems: Problems, pool: Pool) -> JudgeAnswer:
    prepared = await problems.get(item)
    solutions, tests = len(item.solutions), len(prepared.tests)
    if solutions * tests > MAX_VERDICTS:
        raise UserError(
            f"solutions: {solutions:,} solutions with {tests:,} tests are more than {MAX_VERDICTS:,} verdicts. Send "
            "fewer solutions in a request"
        )
    work = await pool.run(prepared.task(item.solutions), prepared.limits, gold_seconds=prepared.gold_seconds)
    return judge_answer(prepared, work)


def judge_answer(prepared: Prepared, work: Work) -> JudgeAnswer:
    """Return the answer about solutions that have their verdicts."""
    assert work.matrix is not None
    kept = {test.test_id for test in prepared.tests}
    verdicts = [prepared.screening.judged(verdict, prepared.tests) for verdict in work.matrix.verdicts]
    return JudgeAnswer.model_construct(
        task_id=prepared.problem.task_id,
        tests=[test.test_id for test in prepared.tests],
        left_out=[test.test_id for test in prepared.all_tests if test.test_id not in kept],
        verdicts=[_verdict_body(verdict) for verdict in verdicts],
    )


def _verdict_body(verdict: Verdict) -> VerdictBody:
    return VerdictBody.model_construct(
        codes=verdict.codes,
        correct=verdict.correct,
        isolation=verdict.isolation,
        cpu_ms=verdict.cpu_ms,
        detail=verdict.detail[:MAX_DETAIL],
    )


async def run_code(body: RunCodeBody, pool: Pool, settings: ServiceSettings) -> RunCodeAnswer:
    """Run a program, and return its status, what it printed and the files that the request asks for.

    Raises UserError for another language than "python", Full if the queue has no room, and what `Pool.run` raises.
    """
    if body.language != "python":
        raise UserError(f"language: this server runs python only, not {body.language[:40]!r}")
    memory = body.memory_limit_MB if body.memory_limit_MB > 0 else settings.limits.memory_mb
    limits = Limits(
        cpu_seconds=min(body.run_timeout, settings.max_cpu_seconds),
        memory_mb=min(memory, settings.max_memory_mb),
        timeout_factor=None,
    )
    files = {path: content for path, content in body.files.items() if content is not None}
    head = json.dumps({"stdin": body.stdin or "", "files": files, "fetch": body.fetch_files})
    task = Task(RUN_PROBLEM, [Solution("run", 0, f"{head}\n{body.code}")], RUN_PROBLEM.tests)
    with pool.room(1):
        work = await pool.run(task, limits)
    answer = run_code_answer(work)
    # The process of the program sends the names too, and the program can change them there.
    answer.files = {path: content for path, content in answer.files.items() if path in body.fetch_files}
    return answer


def run_code_answer(work: Work) -> RunCodeAnswer:
    """Return the answer about a program that has run."""
    assert work.matrix is not None
    (verdict,) = work.matrix.verdicts
    seconds, detail = verdict.cpu_ms / 1000, verdict.detail[:MAX_DETAIL]
    if verdict.codes in (INFRASTRUCTURE, SKIPPED):
        return RunCodeAnswer(status="SandboxError", message=detail)
    if verdict.codes == TIMEOUT:
        late = CommandResult(status="TimeLimitExceeded", execution_time=seconds, stdout="", stderr=detail)
        return RunCodeAnswer(status="Failed", run_result=late)
    if verdict.codes != PASS:
        reason = {MEMORY: "out of memory: ", ERROR: ""}.get(verdict.codes, "refused by the sandbox: ")
        ended = CommandResult(status="Finished", execution_time=seconds, return_code=KILLED, stdout="")
        return RunCodeAnswer(status="Failed", run_result=ended.model_copy(update={"stderr": reason + detail}))
    printed = json.loads(next(iter(work.printed.values()), b"null"))
    if printed is None:
        return RunCodeAnswer(status="SandboxError", message="the sandbox sent no output")
    status = printed["return_code"]
    result = CommandResult(
        status="Finished",
        execution_time=seconds,
        return_code=status,
        stdout=printed["stdout"],
        stderr=printed["stderr"],
    )
    return RunCodeAnswer(status="Failed" if status else "Success", run_result=result, files=printed["files"])
