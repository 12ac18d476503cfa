"""Why codepref and EvalPlus disagree about a sample, told from runs of it alone and inside EvalPlus's check. Pure."""

from __future__ import annotations

from typing import Any

from execution_causes import Facts, cause_of, gone_alone


def cause_of_difference(facts: Facts) -> str:
    """As `execution_causes.cause_of`, which is asked last.

    facts: beside what that needs, `generous` (codepref's verdict with --patience 0), `patient`
    (EvalPlus's verdict with 30 s an input), `roomy` (the same without its limit of memory) and `why`
    (`evalplus_why.told` of base and plus).
    """
    for rule in (uncounted, gone_alone, memory, stopped, impatient):
        if said := rule(facts):
            return said
    return cause_of(facts)


def uncounted(facts: Facts) -> str:
    """EvalPlus's check came to its end, yet did not count all inputs."""
    for part, told in facts["why"].items():
        if not facts["theirs"]["passed"] and told["ended"] and told["counted"] < told["inputs"]:
            return (
                "EvalPlus fails what its own check accepts, since it does not count the inputs that it accepted: "
                f"{part}, {told['counted']} of {told['inputs']} counted, no exception"
            )
    return ""


def memory(facts: Facts) -> str:
    patient, roomy = facts["patient"], facts["roomy"]
    if facts["ours"]["passed"] and not patient["passed"] and roomy["passed"]:
        words = f"with 30 s an input {patient['word']}, with 30 s and no limit of memory {roomy['word']}"
        return f"EvalPlus's limit of memory (4 GiB, expected outputs among them): {words}{_repaired(facts)}"
    return ""


def stopped(facts: Facts) -> str:
    """EvalPlus's limit of wall-clock time for one input ran out: it passes with more, or was seen to be stopped."""
    ours, theirs, patient = facts["ours"], facts["theirs"], facts["patient"]
    part, told = _stop(facts)
    seen = bool(told) and told["raised"].startswith("TimeoutException")
    if not ours["passed"] or theirs["passed"] or not (seen or patient["passed"]):
        return ""
    how = f"{_told(part, told)}; " if seen else ""
    return (
        "EvalPlus's limit of one input, by the wall clock (1 s, or four times what the canonical solution took): "
        f"{how}with 30 s {patient['word']}{_repaired(facts)}"
    )


def impatient(facts: Facts) -> str:
    """codepref's patience ended: it passes the sample with the same limit for every test."""
    ours, generous = facts["ours"], facts["generous"]
    if not (ours["timed_out"] and facts["theirs"]["passed"] and generous["passed"]):
        return ""
    spent = max(told["spent"] for told in facts["why"].values())
    return (
        "codepref's patience, by which a right but slow solution is stopped that takes 20 times what its reference "
        f"takes, and half a second at least: after {ours['cpu_ms'] / 1000:.1f} s of CPU; with --patience 0 "
        f"{generous['word']}; EvalPlus took {spent:.1f} s for the longer test"
    )


def _stop(facts: Facts) -> tuple[str, dict[str, Any]]:
    """The first part in which EvalPlus's check did not come to its end."""
    return next(((part, told) for part, told in facts["why"].items() if not told["ended"]), ("", {}))


def _told(part: str, told: dict[str, Any]) -> str:
    return f"{part} input {max(0, told['counted'] - 1)}, {told['raised']} (limit {told['limit']} s)"


def _repaired(facts: Facts) -> str:
    return f"; codepref leaves inputs out ({', '.join(facts['repaired'])})" if facts["repaired"] else ""
