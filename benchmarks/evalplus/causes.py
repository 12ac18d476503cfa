"""Rules that name the cause of a difference between verdicts of codepref and of EvalPlus on a sample. Pure."""

from __future__ import annotations

from typing import Any

from benchmarks.common.causes import Facts, cause_of, gone_alone


def cause_of_difference(facts: Facts) -> str:
    """Return the sentence of the first rule that applies, or "unexplained".

    The rules of this module come first, with `gone_alone` as the second. Then come those of `benchmarks.common.causes`.

    facts: the keys of `benchmarks.common.causes.Facts`, and results of further runs:
    no_timeout_factor: codepref's verdict without its timeout factor.
    long_limit: EvalPlus's verdict when each input may take 30 s.
    no_memory_limit: EvalPlus's verdict when each input may take 30 s and EvalPlus's memory limit is off.
    check: part -> the result of `benchmarks.systems.evalplus_check.check`.
    """
    for rule in (uncounted, gone_alone, evalplus_memory, evalplus_input_limit, codepref_timeout_factor):
        if cause := rule(facts):
            return cause
    return cause_of(facts)


def uncounted(facts: Facts) -> str:
    """Return a cause when EvalPlus fails the sample because it did not count all inputs as run.

    The sign is that EvalPlus's own check ran to its end without an exception, but counted fewer inputs than there are.
    """
    for part, check in facts["check"].items():
        if not facts["theirs"]["passed"] and check["ended"] and check["counted"] < check["inputs"]:
            return (
                "EvalPlus fails a sample that its own check accepts, because it does not count inputs that it "
                f"accepted: {part}, {check['counted']} of {check['inputs']} counted, no exception"
            )
    return ""


def evalplus_memory(facts: Facts) -> str:
    """Return a cause when codepref passes the sample, and EvalPlus passes it only without its memory limit."""
    long_limit, no_memory_limit = facts["long_limit"], facts["no_memory_limit"]
    if facts["ours"]["passed"] and not long_limit["passed"] and no_memory_limit["passed"]:
        statuses = (
            f"with 30 s an input {long_limit['status']}, with 30 s and no memory limit {no_memory_limit['status']}"
        )
        return f"EvalPlus's memory limit (4 GiB, which includes expected outputs): {statuses}{_repaired(facts)}"
    return ""


def evalplus_input_limit(facts: Facts) -> str:
    """Return a cause when codepref passes the sample, and EvalPlus ended it at the time limit of one input.

    The sign is that the sample passes in EvalPlus with more time, or that EvalPlus's check of the sample timed out.
    """
    ours, theirs, long_limit = facts["ours"], facts["theirs"], facts["long_limit"]
    part, check = _stopped_part(facts)
    timed_out = bool(check) and check["raised"].startswith("TimeoutException")
    if not ours["passed"] or theirs["passed"] or not (timed_out or long_limit["passed"]):
        return ""
    where = f"{_stop(part, check)}; " if timed_out else ""
    return (
        "EvalPlus's wall-clock limit of one input (1 s, or four times the canonical solution's time): "
        f"{where}with 30 s {long_limit['status']}{_repaired(facts)}"
    )


def codepref_timeout_factor(facts: Facts) -> str:
    """Return a cause when codepref's timeout factor ended a sample that passes without this factor."""
    ours, no_factor = facts["ours"], facts["no_timeout_factor"]
    if not (ours["timed_out"] and facts["theirs"]["passed"] and no_factor["passed"]):
        return ""
    spent = max(check["spent"] for check in facts["check"].values())
    return (
        "codepref's timeout factor, which stops a correct but slow solution that takes 20 times as long as its "
        f"reference, and at least half a second: after {ours['cpu_ms'] / 1000:.1f} s of CPU; without the factor "
        f"{no_factor['status']}; EvalPlus took {spent:.1f} s for the longer test"
    )


def _stopped_part(facts: Facts) -> tuple[str, dict[str, Any]]:
    """Return the first part in which EvalPlus's check did not run to its end, and that check, or ("", {})."""
    return next(((part, check) for part, check in facts["check"].items() if not check["ended"]), ("", {}))


def _stop(part: str, check: dict[str, Any]) -> str:
    return f"{part} input {max(0, check['counted'] - 1)}, {check['raised']} (limit {check['limit']} s)"


def _repaired(facts: Facts) -> str:
    return f"; codepref leaves out inputs ({', '.join(facts['repaired'])})" if facts["repaired"] else ""
