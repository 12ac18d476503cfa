"""Tests that extraction takes the program that a careful reader takes, for many ways in which models write answers."""

from __future__ import annotations

import pytest

from codepref.records import Problem
from codepref.sampling.extract import extract_program

PEAK = Problem("peak", "Write peak(values), the largest value, or None without values.", "peak")
SPREAD = Problem("spread", "Read whole numbers on one line and print their spread.", "", style="program")
GAPS = Problem(
    "gaps",
    "from typing import List\n\n\ndef near(a: int, b: int) -> int:\n    return abs(a - b)\n\n\n"
    'def gaps(row: List[int]) -> List[int]:\n    """Return the gaps between neighbours."""\n',
    "gaps",
    style="complete",
    preamble="from typing import List\n\n\ndef near(a: int, b: int) -> int:\n    return abs(a - b)\n",
)

FUNCTION = "def peak(values):\n    if not values:\n        return None\n    return max(values)\n"
DRAFT = "def peak(values):\n    return values[0]\n"
PROGRAM = "numbers = list(map(int, input().split()))\nlow, high = min(numbers), max(numbers)\nprint(high - low)\n"
PROGRAM_DRAFT = "numbers = list(map(int, input().split()))\nprint(numbers[-1] - numbers[0])\n"
SNIPPET = "numbers = list(map(int, input().split()))\n"
BODY = "    pairs = zip(row, row[1:])\n    return [near(a, b) for a, b in pairs]\n"
GAPS_WHOLE = "def gaps(row: List[int]) -> List[int]:\n" + BODY
GAPS_CONTINUED = GAPS.prompt + BODY
GAPS_COMPLETED = GAPS.preamble + "\n\n" + GAPS_WHOLE


def fenced(text: str, info: str = "python") -> str:
    return f"```{info}\n{text}```\n"


def indented(text: str, prefix: str) -> str:
    return "".join(prefix + line + "\n" for line in text.splitlines())


CLOSING_FENCE = {
    "function": (PEAK, f"{FUNCTION}```", FUNCTION),
    "function, prose": (PEAK, f"{FUNCTION}```\n\nThis works for all lists.", FUNCTION),
    "program": (SPREAD, f"{PROGRAM}```", PROGRAM),
    "program, fence on the last line": (SPREAD, f"{PROGRAM.rstrip()}```", PROGRAM),
    "program, prose and two more blocks": (
        SPREAD,
        f"{PROGRAM}```\nFor\n```\n1 5\n```\nit prints\n```\n4\n```\n",
        PROGRAM,
    ),
    "program, tildes": (SPREAD, f"{PROGRAM}~~~\nDone.", PROGRAM),
    "body": (GAPS, f"{BODY}```", GAPS_CONTINUED),
    "body, prose": (GAPS, f"{BODY}```\n\nIt compares neighbours.", GAPS_CONTINUED),
    "language word that the prompt left open": (SPREAD, f"python\n{PROGRAM}```", PROGRAM),
}
OPEN_FENCE = {
    "function": (PEAK, f"Here:\n\n```python\n{FUNCTION}", FUNCTION),
    "program": (SPREAD, f"```py\n{PROGRAM}", PROGRAM),
    "body": (GAPS, f"```python\n{BODY}", GAPS_CONTINUED),
    "second block open": (SPREAD, f"{fenced(PROGRAM)}Try\n```\n1 2", PROGRAM),
}
TOKENS = {
    token: (problem, answer.replace("TOKEN", token), program)
    for token, problem, answer, program in [
        ("<|im_end|>", SPREAD, f"{PROGRAM}TOKEN", PROGRAM),
        ("<|endoftext|>", PEAK, f"```python\n{FUNCTION}TOKEN", FUNCTION),
        ("</s>", SPREAD, f"{fenced(PROGRAM)}TOKEN", PROGRAM),
        ("<eos>", PEAK, f"{FUNCTION.rstrip()}TOKEN", FUNCTION),
        ("<end_of_turn>", SPREAD, f"{PROGRAM.rstrip()}TOKEN\n", PROGRAM),
        ("<|eot_id|>", GAPS, f"{BODY}TOKEN", GAPS_CONTINUED),
        ("[/INST]", SPREAD, f"{PROGRAM}TOKEN", PROGRAM),
        ("<｜end▁of▁sentence｜>", PEAK, f"{FUNCTION}TOKEN", FUNCTION),
        ("<|EOT|>", SPREAD, f"```python\n{PROGRAM}```TOKEN", PROGRAM),
        ("<|end|>", SPREAD, f"{PROGRAM}TOKENTOKEN<|endoftext|>", PROGRAM),
        ("<|im_start|>", PEAK, f"{fenced(FUNCTION)}<|im_end|>\nTOKENuser\n{fenced(DRAFT)}", FUNCTION),
        ("<|file_sep|>", SPREAD, f"{PROGRAM}TOKENimport os\nprint(os.name, input())\n", PROGRAM),
        ("<s>", SPREAD, f"TOKEN{PROGRAM}", PROGRAM),
        ("[END_OF_TEXT]", GAPS, f"{BODY}TOKEN", GAPS_CONTINUED),
        ("[EOS]", GAPS, f"{BODY.rstrip()}TOKEN", GAPS_CONTINUED),
        ("[|endofturn|]", GAPS, f"{BODY}TOKEN", GAPS_CONTINUED),
        ("[|assistant|]", PEAK, f"TOKEN{FUNCTION}", FUNCTION),
        ("<seed:eos>", GAPS, f"{BODY.rstrip()}TOKEN", GAPS_CONTINUED),
        ("<eoa>", SPREAD, f"{PROGRAM}TOKEN", PROGRAM),
        ("[e~[", GAPS, f"{BODY.rstrip()}TOKEN", GAPS_CONTINUED),
        ("<turn|>", GAPS, f"{BODY.rstrip()}TOKEN", GAPS_CONTINUED),
        ("[unused10]", GAPS, f"{BODY}TOKEN", GAPS_CONTINUED),
        ("[unused17]", PEAK, f"[unused16]{fenced(DRAFT)}TOKEN{fenced(FUNCTION)}[unused10]", FUNCTION),
        ("<extra_id_1>", PEAK, f"{FUNCTION}TOKEN", FUNCTION),
        ("<reserved_107>", PEAK, f"{FUNCTION.rstrip()}TOKEN", FUNCTION),
        ("<fim_middle>", GAPS, f"{BODY}TOKEN", GAPS_CONTINUED),
        ("<file_sep>", SPREAD, f"{PROGRAM}TOKENimport os\nprint(os.name, input())\n", PROGRAM),
    ]
}
MARKS = {
    "before the program": (SPREAD, f"\ufeff{PROGRAM}", PROGRAM),
    "in the fence": (PEAK, f"```python\n\ufeff{FUNCTION}```", FUNCTION),
    "before the fence": (SPREAD, f"\ufeff```python\n{PROGRAM}```", PROGRAM),
    "before the body": (GAPS, f"\ufeff{BODY}", GAPS_CONTINUED),
    "carriage returns": (SPREAD, fenced(PROGRAM).replace("\n", "\r\n"), PROGRAM),
    "carriage returns alone": (PEAK, fenced(FUNCTION).replace("\n", "\r"), FUNCTION),
}
SNIPPETS = {
    "reading first": (SPREAD, f"Read:\n{fenced(SNIPPET)}All:\n{fenced(PROGRAM)}", PROGRAM),
    "reading last": (SPREAD, f"All:\n{fenced(PROGRAM)}where the input is read by\n{fenced(SNIPPET)}", PROGRAM),
    "one line last": (SPREAD, f"{fenced(PROGRAM)}The heart is\n{fenced('print(high - low)')}", PROGRAM),
    "output": (SPREAD, f"{fenced(PROGRAM)}Output:\n{fenced('4', '')}", PROGRAM),
    "input and output before": (
        SPREAD,
        f"For\n{fenced('1 5', '')}print\n{fenced('4', '')}so\n{fenced(PROGRAM)}",
        PROGRAM,
    ),
    "shell": (SPREAD, f"{fenced(PROGRAM)}Run\n{fenced('echo 1 5 | python3 spread.py', 'bash')}", PROGRAM),
    "json": (PEAK, f'{fenced(FUNCTION)}{fenced("""{"peak": 3}""", "json")}', FUNCTION),
    "text": (PEAK, f"{fenced('peak', 'text')}{fenced(FUNCTION)}", FUNCTION),
    "usage": (PEAK, f"{fenced(FUNCTION)}{fenced('print(peak([1, 2]))')}", FUNCTION),
    "usage before": (PEAK, f"{fenced('peak([1, 2])')}{fenced(FUNCTION)}", FUNCTION),
    "trial on a fixed input": (
        SPREAD,
        f"{fenced(PROGRAM)}Try:\n"
        + fenced("import io, sys\nsys.stdin = io.StringIO('1 5')\nnumbers = input().split()\nprint(numbers)"),
        PROGRAM,
    ),
    "the loop alone": (
        SPREAD,
        fenced(f"import sys\n\nfor line in sys.stdin:\n{indented(PROGRAM.replace('input()', 'line'), '    ')}")
        + "The part that matters:\n"
        + fenced("low = min(numbers)\nprint(max(numbers) - low)\n"),
        f"import sys\n\nfor line in sys.stdin:\n{indented(PROGRAM.replace('input()', 'line'), '    ')}",
    ),
}
DRAFTS = {
    "function": (PEAK, f"{fenced(DRAFT)}Wrong.\n{fenced(FUNCTION)}", FUNCTION),
    "program": (SPREAD, f"{fenced(PROGRAM_DRAFT)}Wrong.\n{fenced(PROGRAM)}", PROGRAM),
    "one line in the end": (
        SPREAD,
        f"{fenced(PROGRAM_DRAFT)}Wrong.\n"
        + fenced("print((lambda row: max(row) - min(row))([*map(int, input().split())]))"),
        "print((lambda row: max(row) - min(row))([*map(int, input().split())]))\n",
    ),
    "worse in the end": (PEAK, f"{fenced(FUNCTION)}No:\n{fenced(DRAFT)}", DRAFT),
    "stub in the end": (PEAK, f"{fenced(FUNCTION)}{fenced('def peak(values): ...')}", FUNCTION),
    "broken off": (PEAK, f"{fenced(FUNCTION)}Or\n```python\ndef peak(values):\n    return sorted(", FUNCTION),
    "broken off before its return": (
        PEAK,
        f"{fenced(FUNCTION)}Or\n```python\ndef peak(values):\n    best = None\n",
        FUNCTION,
    ),
    "program broken off": (SPREAD, f"{fenced(PROGRAM)}Or\n```python\nrow = input()\nprint(max(row", PROGRAM),
    "draft in another language word": (PEAK, f"{fenced(DRAFT, '')}Wrong.\n{fenced(FUNCTION, 'Python3')}", FUNCTION),
    "whole function for a prompt of code": (
        GAPS,
        f"{fenced(GAPS_WHOLE.replace('near(a, b)', 'a - b'))}No.\n{fenced(GAPS_WHOLE)}",
        GAPS_COMPLETED,
    ),
}
TWO_BLOCKS = {
    "helper, main part": (
        SPREAD,
        fenced("def spread(row):\n    return max(row) - min(row)\n")
        + fenced("row = [int(word) for word in input().split()]\nprint(spread(row))\n"),
        "def spread(row):\n    return max(row) - min(row)\n\n\n"
        "row = [int(word) for word in input().split()]\nprint(spread(row))\n",
    ),
    "main part, helper": (
        SPREAD,
        fenced("row = [int(word) for word in input().split()]\nprint(spread(row))\n")
        + fenced("def spread(row):\n    return max(row) - min(row)\n"),
        "def spread(row):\n    return max(row) - min(row)\n\n\n"
        "row = [int(word) for word in input().split()]\nprint(spread(row))\n",
    ),
    "steps": (
        SPREAD,
        f"Read\n{fenced(SNIPPET)}then\n{fenced('low, high = min(numbers), max(numbers)')}"
        f"then\n{fenced('print(high - low)')}",
        PROGRAM,
    ),
    "draft, helper, main part": (
        SPREAD,
        fenced(PROGRAM_DRAFT)
        + "Wrong.\n"
        + fenced("def spread(row):\n    return max(row) - min(row)\n\nprint(spread([1, 2]))\n")
        + fenced("row = [int(word) for word in input().split()]\nprint(spread(row))\n"),
        "def spread(row):\n    return max(row) - min(row)\n\n\n"
        "row = [int(word) for word in input().split()]\nprint(spread(row))\n",
    ),
    "imports, function": (
        PEAK,
        fenced("from functools import reduce\n") + fenced("def peak(values):\n    return reduce(max, values, None)\n"),
        "from functools import reduce\n\n\ndef peak(values):\n    return reduce(max, values, None)\n",
    ),
}
THINKING = {
    f"{opening} {closing}": (problem, f"{opening}\nPerhaps\n{fenced(draft)}{closing}\n\n{fenced(program)}", program)
    for opening, closing, problem, draft, program in [
        ("<think>", "</think>", PEAK, DRAFT, FUNCTION),
        ("<thinking>", "</thinking>", SPREAD, PROGRAM_DRAFT, PROGRAM),
        ("<reasoning>", "</reasoning>", PEAK, FUNCTION, DRAFT),
        ("<thought>", "</thought>", SPREAD, PROGRAM, PROGRAM_DRAFT),
        ("<|begin_of_thought|>", "<|end_of_thought|>", PEAK, FUNCTION, DRAFT),
        ("[THINK]", "[/THINK]", SPREAD, PROGRAM, PROGRAM_DRAFT),
        ("◁think▷", "◁/think▷", PEAK, FUNCTION, DRAFT),
        ("<|START_THINKING|>", "<|END_THINKING|>", SPREAD, PROGRAM, PROGRAM_DRAFT),
        ("<scratchpad>", "</scratchpad>", PEAK, FUNCTION, DRAFT),
        ("<Thinking>", "</Thinking>", PEAK, FUNCTION, DRAFT),
        (
            "<|channel|>analysis<|message|>",
            "<|end|><|start|>assistant<|channel|>final<|message|>",
            SPREAD,
            PROGRAM,
            PROGRAM_DRAFT,
        ),
    ]
} | {
    "only closed": (PEAK, f"{fenced(FUNCTION)}But no.\n</reasoning>\n{fenced(DRAFT)}", DRAFT),
    "only closed, no fences": (PEAK, f"Perhaps\n{DRAFT}</thought>\n{FUNCTION}", FUNCTION),
    "unclosed": (PEAK, f"<thinking>\n{fenced(FUNCTION)}", ""),
    "unclosed, then an answer tag": (
        PEAK,
        f"<thinking>\n{fenced(DRAFT)}<answer>\n{fenced(FUNCTION)}</answer>",
        FUNCTION,
    ),
    "fence open inside": (PEAK, f"<think>\n```python\n{DRAFT}</think>\n{fenced(FUNCTION)}", FUNCTION),
    "tag in a string": (
        PEAK,
        fenced("def peak(values):\n    return max(values, key=lambda text: text.split('</think>')[-1])\n"),
        "def peak(values):\n    return max(values, key=lambda text: text.split('</think>')[-1])\n",
    ),
    "solution tags": (SPREAD, f"<|begin_of_solution|>\n{PROGRAM}<|end_of_solution|>", PROGRAM),
}
DOCSTRING_FENCES = {
    "program": (
        SPREAD,
        fenced(f'"""Spread.\n\n```\n1 5\n```\n"""\n{PROGRAM}'),
        f'"""Spread.\n\n```\n1 5\n```\n"""\n{PROGRAM}',
    ),
    "helper": (
        SPREAD,
        fenced(
            "def spread(row):\n    '''Doc.\n\n    ```python\n    spread([1])\n    ```\n    '''\n"
            f"    return 0\n\n\n{PROGRAM}"
        ),
        "def spread(row):\n    '''Doc.\n\n    ```python\n    spread([1])\n    ```\n    '''\n"
        f"    return 0\n\n\n{PROGRAM}",
    ),
    "fence with a word": (
        PEAK,
        fenced('def peak(values):\n    """Peak.\n```python\npeak([1])\n```\n    """\n    return max(values)\n'),
        'def peak(values):\n    """Peak.\n```python\npeak([1])\n```\n    """\n    return max(values)\n',
    ),
    "string": (
        SPREAD,
        fenced('MARK = """\n```\n"""\nprint(input() + MARK)\n') + "Done.\n" + fenced("1", ""),
        'MARK = """\n```\n"""\nprint(input() + MARK)\n',
    ),
    "apostrophe in a comment": (
        SPREAD,
        fenced(f"# don't ''' worry\n{PROGRAM}") + "It's done.",
        f"# don't ''' worry\n{PROGRAM}",
    ),
}
FENCES = {
    "title": (SPREAD, fenced(PROGRAM, 'python title="spread.py"'), PROGRAM),
    "braces": (PEAK, fenced(FUNCTION, "{.python .numberLines}"), FUNCTION),
    "name of a file": (SPREAD, fenced(PROGRAM, "python:spread.py"), PROGRAM),
    "version": (SPREAD, fenced(PROGRAM, "Python3.11"), PROGRAM),
    "tildes around fences": (SPREAD, f"~~~python\n{PROGRAM}~~~", PROGRAM),
    "list": (SPREAD, f"- Do\n\n  ```python\n{indented(PROGRAM, '  ')}  ```\n", PROGRAM),
    "list marker before the fence": (PEAK, f"1. ```python\n{indented(FUNCTION, '   ')}   ```\n", FUNCTION),
    "quote": (PEAK, f"> ```python\n{indented(FUNCTION, '> ')}> ```\n", FUNCTION),
    "Markdown in a fence": (SPREAD, f"````markdown\nUse\n{fenced(PROGRAM)}````\n", PROGRAM),
    "prompts of an interpreter": (
        PEAK,
        "```python\n>>> def peak(values):\n...     return max(values)\n...\n>>> peak([1, 2])\n2\n```",
        "def peak(values):\n    return max(values)\n",
    ),
    "examples in a program that is cut off": (
        PEAK,
        '```python\ndef peak(values):\n    """\n    >>> peak([1])\n    1\n    """\n'
        "    return max(values)\n\n\ndef next_peak(val",
        'def peak(values):\n    """\n    >>> peak([1])\n    1\n    """\n    return max(values)\n',
    ),
    "HTML": (SPREAD, f"<pre><code>\n{PROGRAM}</code></pre>", PROGRAM),
}
CODE_PROMPTS = {
    "whole function in a fence": (GAPS, fenced(GAPS_WHOLE), GAPS_COMPLETED),
    "another docstring": (
        GAPS,
        fenced(GAPS_WHOLE.replace(BODY, '    """Gaps, one by one."""\n' + BODY)),
        GAPS_COMPLETED.replace(BODY, '    """Gaps, one by one."""\n' + BODY),
    ),
    "fenced body": (GAPS, f"The rest:\n{fenced(BODY)}", GAPS_CONTINUED),
    "first line without indentation": (GAPS, BODY.lstrip(), GAPS_CONTINUED),
    "no indentation at all": (
        GAPS,
        fenced("pairs = zip(row, row[1:])\nreturn [near(a, b) for a, b in pairs]\n"),
        GAPS_CONTINUED,
    ),
    "fenced, first line without indentation": (GAPS, fenced(BODY.lstrip()), GAPS_CONTINUED),
    "usage behind the body": (GAPS, f"{fenced(BODY)}Usage:\n{fenced('print(gaps([1, 2]))')}", GAPS_CONTINUED),
}
UNFENCED = {
    "program between prose": (SPREAD, f"Here is the program:\n\n{PROGRAM}\nIt's simple, isn't it?", PROGRAM),
    "no code": (SPREAD, "I would read the numbers and compare them.", ""),
    "no code for a function": (PEAK, "One would use max.", ""),
    "only output": (SPREAD, fenced("4", ""), ""),
}
FAMILIES = {
    "closing fence": CLOSING_FENCE,
    "open fence": OPEN_FENCE,
    "token": TOKENS,
    "mark": MARKS,
    "snippet": SNIPPETS,
    "draft": DRAFTS,
    "two blocks": TWO_BLOCKS,
    "thinking": THINKING,
    "docstring fence": DOCSTRING_FENCES,
    "fence": FENCES,
    "code prompt": CODE_PROMPTS,
    "unfenced": UNFENCED,
}
CASES = [
    pytest.param(*case, id=f"{family}: {name}") for family, cases in FAMILIES.items() for name, case in cases.items()
]


@pytest.mark.parametrize(("problem", "answer", "program"), CASES)
def test_the_program_is_what_a_careful_reader_takes(problem: Problem, answer: str, program: str) -> None:
    assert comparable(extract_program(answer, problem)) == comparable(program)


def comparable(program: str) -> str:
    """Return a program without the empty lines, whose number may change where parts are joined."""
    return "\n".join(line for line in program.split("\n") if line.strip())
