"""The results of `evalplus_agreement.py` as Markdown: python benchmarks/evalplus_table.py evalplus.json"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from execution_table import grid

Part = dict[str, Any]
NOTE = """\
Both sides read the same file of samples and have their own default limits. "base" and "plus" are EvalPlus's two sets of
inputs; a sample counts as agreed where both sides say pass, or neither does. pass@k: codepref's own figures; what
`evalplus.evaluate` prints when it reads the file of results that codepref wrote; what it prints of its own verdicts.
Each difference was run again by both sides, one sample at a time, and inside EvalPlus's own check: "alone" is what
they said then, "patience 0" what codepref says when every test may take its whole limit, "30 s" what EvalPlus says when
every input may take 30 s, "no 4 GiB" the same without its limit of memory."""


def document(parts: dict[str, Part]) -> str:
    """All parts, each with its command and machine."""
    lines = ["# Beside EvalPlus, and BigCodeBench's gold solutions", ""]
    for name, part in parts.items():
        machine, versions = part["machine"], part["versions"]
        lines += [f"## {name}", "", f"`{part['command']}`", ""]
        told = ", ".join(f"{key} {value}" for key, value in versions.items())
        lines += [
            f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB, Linux {machine['kernel']}, "
            f"Python {machine['python']}; load average before {machine['load_before'][0]}, niceness "
            f"{machine['niceness']}; {told}. {part['date']}, {part['wall_seconds']:.0f} s in all.",
            "",
        ]
        lines += (bigcodebench if name.startswith("bigcodebench") else agreement)(part["result"])
    return "\n".join(lines).rstrip() + "\n"


def agreement(result: Part) -> list[str]:
    seconds, left = result["seconds"], sum(result["left_out"].values())
    told = (
        f"{result['samples']} samples of {result['problems']} problems, {left} left out by codepref as not judged; "
        f"codepref {seconds['codepref']:.0f} s, EvalPlus {seconds['evalplus']:.0f} s, its expected outputs perhaps "
        "kept from an earlier run (execution.md measures speed)."
    )
    lines = [NOTE, "", told]
    rows = []
    for name, row in result["agreement"].items():
        share = f"{100 * row['agree'] / row['samples']:.2f}%"
        rows.append([name, f"{row['agree']} of {row['samples']}", share, row["passed by codepref"]])
        rows[-1].append(row["passed by evalplus"])
    lines += ["", *grid(("verdicts", "agree", "", "passed by codepref", "passed by evalplus"), rows)]
    lines += grid(("pass@k", "base", "base + plus"), figures(result["pass_at_k"]))
    lines += differences(result["differences"])
    return lines


def figures(told: dict[str, Any]) -> list[list[str]]:
    """A row a source; EvalPlus prints a heading, then "pass@k:" lines, of base and then of base and plus."""
    own = (told["codepref"][part] for part in ("base", "plus"))
    rows = [["codepref", *(", ".join(f"{name} {value:.3f}" for name, value in one.items()) for one in own)]]
    for name in ("evalplus of codepref's file", "evalplus"):
        sets: list[list[str]] = []
        for line in told[name]:
            if line.startswith("pass@"):
                sets[-1].append(" ".join(line.replace(":", "").split()))
            else:
                sets.append([])
        rows.append([name, *(", ".join(one) for one in sets)])
    return rows


def differences(rows: Sequence[Part]) -> list[str]:
    """Kinds with counts, then each sample."""
    if not rows:
        return ["No sample is judged differently.", ""]
    lines = grid(("kind of cause", "samples"), Counter(row["kind"] for row in rows).most_common())
    table = []
    for row in rows:
        both = [f"{row[key]['word']}, alone {row['alone'][side]['word']}" for key, side in SIDES]
        table.append(
            [row["task_id"], row["place"], *both, *(row[key]["word"] for key in ("generous", "patient", "roomy"))]
        )
        table[-1].append(row["cause"])
    return lines + grid(("task", "line", "codepref", "evalplus", "patience 0", "30 s", "no 4 GiB", "cause"), table)


SIDES = (("codepref", "ours"), ("evalplus", "theirs"))


def bigcodebench(result: Part) -> list[str]:
    lines = [
        f"Gold solutions of the first {result['problems']} problems, 20 s of CPU a suite: {result['passed']} pass. "
        "Beyond the base install: packages that `pip install codepref` does not bring. All were installed here.",
        "",
    ]
    rows = []
    for row in result["rows"]:
        beyond = ", ".join(row["beyond_base"]) or "–"
        rows.append([row["task_id"], beyond, row["code"], row["plain"]["word"], row["lacks"] or "–"])
    head = ("task", "packages beyond the base install", "code", "without a sandbox or network", "what it lacks")
    return lines + grid(head, rows)


if __name__ == "__main__":
    print(document(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), end="")
