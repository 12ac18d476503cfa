"""Chooses the pairs that the report shows, and lays out their code and evidence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from codepref.records import VERDICT_CODES, is_correct

MAX_LINES = 80
MAX_CHARACTERS = 6_000
MAX_CODES = 120
_FENCE = re.compile(r"^[ \t]*```[ \t]*[\w+-]*[ \t]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Strip:
    """A row of verdict codes of one solution, with one code for each of the first tests.

    more: the number of codes that `codes` leaves out.
    """

    label: str
    codes: str
    more: int


@dataclass(frozen=True, slots=True)
class Side:
    """The chosen or the rejected response.

    Attributes:
        html: safe markup of the response.
        test_html: safe markup of the test that belongs to the response. It is "" if there is none, or if the response
            shows it.
        strips: rows of verdict codes.
        truth: "pass" or "fail" by the true tests, or "" if that is not known.
        facts: (name, value) of the other evidence about this side.
    """

    name: str
    solution_id: str
    html: str
    strips: tuple[Strip, ...]
    test_html: str
    truth: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One pair in the form in which the template of the report shows it.

    facts: (name, value) of the evidence that belongs to no side. truth: whether the pair is right by the true tests, in
    words, or "" if that is not known. truth_tone: the tone of these words, such as "better".
    """

    task_id: str
    rule: str
    confidence: str
    prompt: str
    sides: tuple[Side, ...]
    facts: tuple[tuple[str, str], ...]
    truth: str
    truth_tone: str


def choose(rows: Sequence[Mapping[str, Any]], wanted: int = 10) -> list[Mapping[str, Any]]:
    """Return at most `wanted` of the rows of pairs. The choice does not depend on whether a pair is right.

    First the most confident pair of each problem is taken. If there are more of these pairs than `wanted`, the choice
    is spread evenly from the most to the least confident one. If there are fewer, the most confident other pairs are
    added.
    """
    ranked = sorted(rows, key=lambda row: (-(row.get("confidence") or 0.0), str(row.get("task_id"))))
    seen: set[str] = set()
    firsts: list[Mapping[str, Any]] = []
    rest: list[Mapping[str, Any]] = []
    for row in ranked:
        (rest if row.get("task_id") in seen else firsts).append(row)
        seen.add(str(row.get("task_id")))
    pool = firsts if len(firsts) >= wanted else [*firsts, *rest[: wanted - len(firsts)]]
    if len(pool) <= wanted:
        return pool
    return [pool[round(i * (len(pool) - 1) / (wanted - 1))] for i in range(wanted)] if wanted > 1 else pool[:wanted]


def example(row: Mapping[str, Any], true_codes: Mapping[tuple[str, int], str] | None = None) -> Example:
    """Return one row of pairs.parquet as an Example.

    Evidence that is neither a JSON object nor null is shown as one fact. true_codes: the verdict codes of the true
    tests by (task_id, solution_id).
    """
    evidence = _evidence(row.get("evidence"))
    for name in ("chosen", "rejected"):
        codes = (true_codes or {}).get((str(row.get("task_id")), row.get(f"{name}_id", -1)))
        if codes and (correct := is_correct(codes)) is not None:
            evidence.setdefault(f"{name}_true_verdicts", codes)
            evidence.setdefault(f"true_{name}", "pass" if correct else "fail")
    sides = tuple(_side(name, row, evidence) for name in ("chosen", "rejected"))
    truth, tone = _truth(*(side.truth for side in sides))
    confidence = row.get("confidence")
    return Example(
        task_id=str(row.get("task_id", "")),
        rule=str(row.get("rule", "")),
        confidence="" if confidence is None else f"{confidence:.2f}",
        prompt="\n".join(_cut(_contents(row.get("prompt")))).strip(),
        sides=sides,
        facts=_facts(evidence),
        truth=truth,
        truth_tone=tone,
    )


def _evidence(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    try:
        evidence = json.loads(value or "{}")
    except (TypeError, ValueError):
        return {"evidence": str(value)}
    return evidence if isinstance(evidence, dict) else {"evidence": evidence}


def _side(name: str, row: Mapping[str, Any], evidence: dict[str, Any]) -> Side:
    """Return one side of a pair, and remove the entries of this side from `evidence`."""
    strips = [
        strip
        for key, label in ((f"{name}_verdicts", "verdicts"), (f"{name}_true_verdicts", "true tests"))
        if (strip := _strip(evidence, key, label))
    ]
    test, truth = evidence.pop(f"{name}_test", None), evidence.pop(f"true_{name}", "")
    own = {key: evidence.pop(key) for key in [*evidence] if key.startswith(f"{name}_")}
    content = _contents(row.get(name))
    return Side(
        name=name,
        solution_id=str(row.get(f"{name}_id", "")),
        html=_markup(content),
        strips=tuple(strips),
        # the pairs of some rules hold the answer and its test in one text, which shows the test
        test_html=highlight(_cut(str(test))[0]) if test and str(test).strip() not in content else "",
        truth=("fail", "pass")[truth] if isinstance(truth, bool) else str(truth or ""),
        facts=_facts({key.removeprefix(f"{name}_"): value for key, value in own.items()}),
    )


def _strip(evidence: dict[str, Any], key: str, label: str) -> Strip | None:
    """Remove a row of verdict codes from `evidence` and return it.

    If the value is not a row of verdict codes, return None and leave it in `evidence`.
    """
    value = evidence.get(key)
    codes = "".join(map(str, value)) if isinstance(value, list) else value
    if not isinstance(codes, str) or not codes or not set(codes) <= set(VERDICT_CODES):
        return None
    del evidence[key]
    return Strip(label, codes[:MAX_CODES], max(0, len(codes) - MAX_CODES))


def _truth(chosen: str, rejected: str) -> tuple[str, str]:
    return {
        ("pass", "fail"): ("right by the true tests", "better"),
        ("fail", "pass"): ("inverted: only the rejected answer is correct", "worse"),
        ("pass", "pass"): ("both are correct by the true tests", "mixed"),
        ("fail", "fail"): ("both are wrong by the true tests", "mixed"),
    }.get((chosen, rejected), ("", "unknown"))


def _facts(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    def shown(value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return text if len(text) <= 200 else text[:200] + " …"

    return tuple((key.replace("_", " "), shown(value)) for key, value in values.items() if value is not None)


def _contents(messages: Any) -> str:
    if isinstance(messages, str):
        return messages
    return "\n\n".join(str(message.get("content", "")) for message in messages or [])


def _cut(text: str) -> tuple[str, str]:
    """Return the part of `text` to show, and a note on the rest. The note is "" if the whole text is shown."""
    kept = "\n".join(text[:MAX_CHARACTERS].split("\n")[:MAX_LINES])
    left = len(text) - len(kept)
    return kept, f"… {left:,} more characters" if left > 0 else ""


def _markup(text: str) -> str:
    """Return model text as safe HTML: fenced blocks as code, and other text as prose.

    A text without a fenced block is shown as code. A long text is cut.
    """
    text, rest = _cut(text)
    if not _FENCE.search(text):
        return highlight(text) + _words(rest)
    parts, end = [], 0
    for block in _FENCE.finditer(text):
        parts += [_words(text[end : block.start()]), highlight(block.group(1))]
        end = block.end()
    return "".join([*parts, _words(text[end:]), _words(rest)])


def _words(text: str) -> str:
    return f'<p class="words">{escape(text.strip())}</p>' if text.strip() else ""


def highlight(code: str) -> str:
    """Return Python code as highlighted, escaped HTML in a <pre class="code">. `highlight_css` returns its styles."""
    from pygments import highlight as render
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    inner: str = render(code.strip("\n"), PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    return f'<pre class="code">{inner.rstrip()}</pre>'


def highlight_css() -> str:
    """Return the style sheet with the colours of highlighted code, for light and dark pages."""
    from pygments.formatters import HtmlFormatter

    def rules(style: str) -> str:
        definitions: str = HtmlFormatter(style=style).get_style_defs(".code")
        # the page sets the backgrounds; boxes around text that the lexer does not know would distract the reader
        kept = (line for line in definitions.splitlines() if line.startswith(".code .") and ".err" not in line)
        return "\n".join(kept)

    return f"{rules('friendly')}\n@media (prefers-color-scheme: dark) {{\n{rules('github-dark')}\n}}"
