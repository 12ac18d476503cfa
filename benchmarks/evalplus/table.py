"""Formats the results of `python -m benchmarks.evalplus` as Markdown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.common.markdown import grid, part_head

Part = dict[str, Any]
NOTE = """\
Both systems read the same file of samples and have their own default limits. "base" and "plus" are EvalPlus's two sets
of inputs. The systems agree on a sample when both pass it, or when neither does. The table of pass@k has three rows:
figures of codepref, figures that `evalplus.evaluate` prints for the results file that codepref wrote, and figures
that it prints for its own verdicts. Samples whose verdicts differ ran again in both systems, and in EvalPlus's own
check. "alone" is the verdict of a system that runs one sample at a time. "no timeout factor" is codepref's verdict when
every test may take its whole limit. "30 s" is EvalPlus's verdict when every input may take 30 s. "no 4 GiB" is
EvalPlus's verdict when, in addition, its memory limit is off."""
SIDES = (("codepref", "ours"), ("evalplus", "theirs"))
"""The systems, and the key of each system's verdict in `alone`, the runs with one sample at a time."""


def document(parts: dict[str, Part]) -> str:
    """Return all parts of a results file as one document. Each part has its command and its machine."""
    lines = ["# Beside EvalPlus, and BigCodeBench's gold solutions", ""]
    for name, part in parts.items():
        table = bigcodebench if name.startswith("bigcodebench") else agreement
        lines += [*part_head(name, part), *table(part["result"])]
    return "\n".join(lines).rstrip() + "\n"


def agreement(result: Part) -> list[str]:
    """Return lines with the counts of agreement, pass@k, and the differences."""
    seconds, left_out = result["seconds"], sum(result["left_out"].values())
    summary = (
        f"{result['samples']} samples of {result['problems']} problems, of which {left_out} are left out because "
        f"codepref could not judge them. codepref took {seconds['codepref']:.0f} s, and EvalPlus took "
        f"{seconds['evalplus']:.0f} s. EvalPlus may have read its expected outputs from the cache of an earlier run, "
        "so these times do not compare speed. execution.md does."
    )
    rows = []
    for name, row in result["agreement"].items():
        share = f"{100 * row['agree'] / row['samples']:.2f}%"
        rows.append([name, f"{row['agree']} of {row['samples']}", share, row["passed by codepref"]])
        rows[-1].append(row["passed by evalplus"])
    lines = [NOTE, "", summary, ""]
    lines += grid(("verdicts", "agree", "", "passed by codepref", "passed by evalplus"), rows)
    lines += grid(("pass@k", "base", "base + plus"), pass_at_k(result["pass_at_k"]))
    return lines + differences(result["differences"])


def pass_at_k(figures: dict[str, Any]) -> list[list[str]]:
    """Return one row for each source of figures.

    EvalPlus prints a heading and lines such as "pass@1: 0.5" for base, and then the same for base and plus.
    """
    own = (figures["codepref"][part] for part in ("base", "plus"))
    rows = [["codepref", *(", ".join(f"{name} {value:.3f}" for name, value in part.items()) for part in own)]]
    for source in ("evalplus of codepref's file", "evalplus"):
        sets: list[list[str]] = []
        for line in figures[source]:
            if line.startswith("pass@"):
                sets[-1].append(" ".join(line.replace(":", "").split()))
            else:
                sets.append([])
        rows.append([source, *(", ".join(one) for one in sets)])
    return rows


def differences(rows: Sequence[Part]) -> list[str]:
    """Return the lines of two tables: the number of differences by kind of cause, and a row for each difference.

    Without differences, they are one sentence.
    """
    if not rows:
        return ["Both systems judge all samples alike.", ""]
    lines = grid(("kind of cause", "samples"), Counter(row["kind"] for row in rows).most_common())
    table = []
    for row in rows:
        both = [f"{row[key]['status']}, alone {row['alone'][side]['status']}" for key, side in SIDES]
        others = (row[key]["status"] for key in ("no_timeout_factor", "long_limit", "no_memory_limit"))
        table.append([row["task_id"], row["index"], *both, *others, row["cause"]])
    head = ("task", "line", "codepref", "evalplus", "no timeout factor", "30 s", "no 4 GiB", "cause")
    return lines + grid(head, table)


def bigcodebench(result: Part) -> list[str]:
    """Return the lines of a summary, and of a table with one row for each problem."""
    lines = [
        f"Gold solutions of the first {result['problems']} problems, 20 s of CPU a suite: {result['passed']} pass. "
        "The second column names the packages that `pip install codepref` does not bring. If a solution "
        "failed because one of them was not installed, the last column names it.",
        "",
    ]
    rows = []
    for row in result["rows"]:
        beyond = ", ".join(row["beyond_base"]) or "–"
        rows.append([row["task_id"], beyond, row["code"], row["unconfined"]["status"], row["lacks"] or "–"])
    head = ("task", "packages beyond the base install", "code", "without a sandbox or network", "what it lacks")
    return lines + grid(head, rows)
