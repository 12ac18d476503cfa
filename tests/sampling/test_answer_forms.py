"""Tests of more forms of answers: chat templates, tags, fences and snippets as models and web pages write them."""

from __future__ import annotations

import pytest

from codepref.records import Problem
from codepref.sampling.answers import solutions_from_rows
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


MAIN = (
    "import sys\n\n\ndef main():\n    data = [int(word) for word in sys.stdin.read().split()]\n"
    "    print(max(data) - min(data))\n\n\nif __name__ == '__main__':\n    main()\n"
)
FORMS = {
    "trial patch": (
        SPREAD,
        fenced(MAIN)
        + "Test:\n"
        + fenced("from unittest.mock import patch\nwith patch('sys.stdin', io.StringIO('1 5')):\n    main()"),
        MAIN,
    ),
    "trial subprocess": (
        SPREAD,
        fenced(MAIN) + fenced("import subprocess\nprint(subprocess.run(['python3','a.py'], input='1 5', text=True))"),
        MAIN,
    ),
    "brute then final": (SPREAD, fenced(PROGRAM_DRAFT) + fenced(MAIN), MAIN),
    "steps then whole": (
        SPREAD,
        "### Step 1\n"
        + fenced(SNIPPET)
        + "### Step 2\n"
        + fenced("low = min(numbers)\nhigh = max(numbers)\n")
        + "### Whole\n"
        + fenced(PROGRAM),
        PROGRAM,
    ),
    "whole then steps": (
        SPREAD,
        "### Whole\n"
        + fenced(PROGRAM)
        + "### Step 1\n"
        + fenced(SNIPPET)
        + "### Step 2\n"
        + fenced("low = min(numbers)\nhigh = max(numbers)\n"),
        PROGRAM,
    ),
    "whole then explained lines incl print": (
        SPREAD,
        fenced(PROGRAM) + "1. " + fenced(SNIPPET) + "2. " + fenced("print(high - low)\n"),
        PROGRAM,
    ),
    "text block holds program": (SPREAD, fenced(PROGRAM, "text"), PROGRAM),
    "no lang then output": (SPREAD, fenced(PROGRAM, "") + "Output\n" + fenced("4\n", ""), PROGRAM),
    "input data as assign": (SPREAD, fenced(PROGRAM) + "Input:\n" + fenced("n = 3\n", ""), PROGRAM),
    "cpp": (SPREAD, fenced("int main() { return 0; }", "cpp") + fenced(PROGRAM), PROGRAM),
    "think no newline": (SPREAD, "<think>hmm\n```python\nprint(input())\n```</think>" + fenced(PROGRAM), PROGRAM),
    "think twice": (
        SPREAD,
        "<think>a</think>\n" + fenced(PROGRAM_DRAFT) + "<think>no</think>\n" + fenced(PROGRAM),
        PROGRAM,
    ),
    "answer tag": (SPREAD, "<reasoning>\nx\n</reasoning>\n<answer>\n" + fenced(PROGRAM) + "</answer>", PROGRAM),
    "answer tag no fence": (SPREAD, "<reasoning>\nx\n</reasoning>\n<answer>\n" + PROGRAM + "</answer>", PROGRAM),
    "answer then chat": (
        SPREAD,
        fenced(PROGRAM)
        + "\n<|im_end|>\n<|im_start|>user\nThanks<|im_end|>\n<|im_start|>assistant\n"
        + fenced("print(input())"),
        PROGRAM,
    ),
    "header": (SPREAD, "<|start_header_id|>assistant<|end_header_id|>\n\n" + fenced(PROGRAM) + "<|eot_id|>", PROGRAM),
    "python tag": (SPREAD, "<|python_tag|>" + PROGRAM + "<|eom_id|>", PROGRAM),
    "seed": (SPREAD, "<seed:think>" + fenced(PROGRAM_DRAFT) + "</seed:think>" + fenced(PROGRAM), PROGRAM),
    "fence then </s></s>": (SPREAD, "```python\n" + PROGRAM + "</s></s>", PROGRAM),
    "fim": (SPREAD, PROGRAM + "<fim_middle>", PROGRAM),
    "fim2": (SPREAD, PROGRAM + "<|fim_pad|>", PROGRAM),
    "jais": (SPREAD, PROGRAM + "<|END_OF_TURN_TOKEN|>", PROGRAM),
    "granite": (SPREAD, PROGRAM + "<|end_of_text|>", PROGRAM),
    "mistral": (SPREAD, "[INST] ask [/INST]" + PROGRAM + "</s>", PROGRAM),
    "llama2 sys": (SPREAD, "<s>[INST] <<SYS>>\nx\n<</SYS>>\nask [/INST] " + fenced(PROGRAM) + " </s>", PROGRAM),
    "lone inst": (SPREAD, "[/INST]\n" + fenced(PROGRAM), PROGRAM),
    "chatml plain user text": (SPREAD, fenced(PROGRAM) + "\n### Instruction:\nDo more\n### Response:\nOk", PROGRAM),
    "bare fence w/ space lang": (SPREAD, "``` python\n" + PROGRAM + "```", PROGRAM),
    "PYTHON": (SPREAD, "```PYTHON\n" + PROGRAM + "```", PROGRAM),
    "py3.10": (SPREAD, "```python 3.10\n" + PROGRAM + "```", PROGRAM),
    "hl_lines": (SPREAD, '```python hl_lines="1 2" linenums="1"\n' + PROGRAM + "```", PROGRAM),
    "{python}": (SPREAD, "```{python}\n" + PROGRAM + "```", PROGRAM),
    "{r}": (SPREAD, "```{code-block} python\n" + PROGRAM + "```", PROGRAM),
    "five": (SPREAD, "`````python\n" + PROGRAM + "`````", PROGRAM),
    "close with prose": (SPREAD, "```python\n" + PROGRAM + "```This works.", PROGRAM),
    "close with trailing spaces": (SPREAD, "```python\n" + PROGRAM + "```   \n", PROGRAM),
    "indented close": (SPREAD, "```python\n" + PROGRAM + "    ```\nDone.", PROGRAM),
    "open after colon": (SPREAD, "Solution: ```python\n" + PROGRAM + "```", PROGRAM),
    "bold": (SPREAD, "**Solution:**```python\n" + PROGRAM + "```", PROGRAM),
    "numbered nested": (
        SPREAD,
        "1. Read:\n   ```python\n   x = 1\n   ```\n2. All:\n   ```python\n" + indented(PROGRAM, "   ") + "   ```\n",
        PROGRAM,
    ),
    "ten nested": (SPREAD, "   10) ```python\n" + indented(PROGRAM, "       ") + "       ```\n", PROGRAM),
    "tabs": (PEAK, "\t```python\n" + indented(FUNCTION, "\t") + "\t```\n", FUNCTION),
    "html lang": (
        SPREAD,
        '<pre><code class="language-python">\n' + PROGRAM.replace("<", "&lt;") + "</code></pre>",
        PROGRAM,
    ),
    "html same line": (SPREAD, '<pre><code class="language-python">' + PROGRAM + "</code></pre>", PROGRAM),
    "code tag": (SPREAD, "<code>\n" + PROGRAM + "</code>", PROGRAM),
    "[PYTHON]": (SPREAD, "[PYTHON]\n" + PROGRAM + "[/PYTHON]\n[TESTS]\nprint(1)\n[/TESTS]", PROGRAM),
    "[BEGIN]": (SPREAD, "[BEGIN]\n" + PROGRAM + "[DONE]", PROGRAM),
    "comment at the end": (SPREAD, PROGRAM + "# SOLUTION END\n</code>", PROGRAM),
    "latex": (SPREAD, "\\begin{verbatim}\n" + PROGRAM + "\\end{verbatim}", PROGRAM),
    "prose both unfenced body": (GAPS, "Here is the rest:\n\n" + BODY + "\nIt works.", GAPS_CONTINUED),
    "unfenced function prose": (PEAK, "Here is it:\n\n" + FUNCTION + "\nIt isn't hard.", FUNCTION),
    "body fenced signature missing colon etc": (GAPS, fenced(GAPS.prompt + BODY), GAPS_CONTINUED),
    "async": (
        PEAK,
        fenced("async def peak(values):\n    return max(values)\n"),
        "async def peak(values):\n    return max(values)\n",
    ),
    "draft body then whole": (GAPS, fenced(BODY.replace("near", "min")) + "No.\n" + fenced(GAPS_WHOLE), GAPS_COMPLETED),
    "function + test redefinition": (
        PEAK,
        fenced(FUNCTION) + "Tests:\n" + fenced("def test_peak():\n    assert peak([1]) == 1\n\ntest_peak()"),
        FUNCTION,
    ),
    "import star": (PEAK, fenced("from math import *\n") + fenced(FUNCTION), FUNCTION),
    "decorated": (
        PEAK,
        fenced("import functools\n\n\n@functools.cache\ndef peak(values):\n    return max(values)\n"),
        "import functools\n\n\n@functools.cache\ndef peak(values):\n    return max(values)\n",
    ),
    "py2": (SPREAD, fenced("n = raw_input()\nprint n\n"), ""),
    "refusal": (SPREAD, "I'm sorry, but I can't help.", ""),
    "doc sess": (SPREAD, "```pycon\n>>> numbers = [1]\n>>> print(numbers)\n[1]\n```\n" + fenced(PROGRAM), PROGRAM),
    "sess after": (SPREAD, fenced(PROGRAM) + "```\n>>> import spread\n>>> print(input())\n4\n```\n", PROGRAM),
    "prompt open python tag + prose": (
        SPREAD,
        "\n" + PROGRAM + "```\n\n**Explanation:**\n- `input()` reads\n",
        PROGRAM,
    ),
    "lone close twice": (SPREAD, PROGRAM + "```\nor\n```python\n" + PROGRAM_DRAFT + "```", PROGRAM_DRAFT),
    "no close then heading": (SPREAD, "```python\n" + PROGRAM + "\n## Explanation\nIt's done.\n", PROGRAM),
    "two programs one fence missing close": (
        SPREAD,
        "```python\n" + PROGRAM_DRAFT + "\n```python\n" + PROGRAM + "```",
        PROGRAM,
    ),
    "only closed <think> in fence": (SPREAD, "```python\nprint(input())\n```\n</think>\n" + fenced(PROGRAM), PROGRAM),
    "THINK upper": (SPREAD, "<THINK>\n" + fenced(PROGRAM_DRAFT) + "</THINK>\n" + fenced(PROGRAM), PROGRAM),
    "**thinking** etc": (
        SPREAD,
        "<internal_monologue>" + fenced(PROGRAM_DRAFT) + "</internal_monologue>" + fenced(PROGRAM),
        PROGRAM,
    ),
    "chain_of_thought": (
        SPREAD,
        "<chain_of_thought>" + fenced(PROGRAM_DRAFT) + "</chain_of_thought>" + fenced(PROGRAM),
        PROGRAM,
    ),
    "reasoning_content": (
        SPREAD,
        "<reasoning_content>" + fenced(PROGRAM_DRAFT) + "</reasoning_content>" + fenced(PROGRAM),
        PROGRAM,
    ),
    "begin_of_box": (SPREAD, "<think>a</think>\n<|begin_of_box|>" + fenced(PROGRAM) + "<|end_of_box|>", PROGRAM),
    "<|thinking|>": (SPREAD, "<|thinking|>" + fenced(PROGRAM_DRAFT) + "<|/thinking|>" + fenced(PROGRAM), PROGRAM),
    "inner thoughts": (
        SPREAD,
        "<inner_thoughts>" + fenced(PROGRAM_DRAFT) + "</inner_thoughts>" + fenced(PROGRAM),
        PROGRAM,
    ),
    "thought process": (
        SPREAD,
        "<thought_process>" + fenced(PROGRAM_DRAFT) + "</thought_process>" + fenced(PROGRAM),
        PROGRAM,
    ),
    "draft tag": (SPREAD, "<draft>" + fenced(PROGRAM_DRAFT) + "</draft>" + fenced(PROGRAM), PROGRAM),
    "unused94": (SPREAD, "<unused94>thought\n" + fenced(PROGRAM_DRAFT) + "<unused95>" + fenced(PROGRAM), PROGRAM),
}


@pytest.mark.parametrize(("problem", "answer", "program"), FORMS.values(), ids=FORMS)
def test_the_program_is_found_in_this_form(problem: Problem, answer: str, program: str) -> None:
    assert comparable(extract_program(answer, problem)) == comparable(program)


@pytest.mark.parametrize(
    ("completion", "program"),
    [
        (BODY, GAPS_CONTINUED),
        (f"{BODY}<|endoftext|>", GAPS_CONTINUED),
        (f"{BODY}```\nDone.", GAPS_CONTINUED),
        (f"\ufeff{BODY}", GAPS_CONTINUED),
        (fenced(BODY), GAPS_CONTINUED),
        (fenced(BODY.lstrip()), GAPS_CONTINUED),
        (fenced(GAPS_WHOLE), GAPS_COMPLETED),
        (f"Sure.\n\n{fenced(GAPS_WHOLE)}\nIt's short.", GAPS_COMPLETED),
        (f"Sure.\n\n{GAPS_WHOLE}\nIt's short.", GAPS_COMPLETED),
        (f"<think>\nWhich?\n</think>\n{fenced(GAPS_WHOLE)}", GAPS_COMPLETED),
        (f"{fenced(GAPS_WHOLE.replace('near', 'min'))}No.\n{fenced(GAPS_WHOLE)}", GAPS_COMPLETED),
        (GAPS_WHOLE, GAPS.prompt + GAPS_WHOLE),
        ("    return near(", GAPS.prompt + "    return near("),
        (fenced("gaps([1])"), GAPS.prompt + fenced("gaps([1])")),
        (BODY.lstrip(), GAPS.prompt + BODY.lstrip()),
    ],
)
def test_a_completion_of_a_code_prompt_may_be_the_answer_of_a_chat_model(completion: str, program: str) -> None:
    """A completion follows its prompt unchanged if Python can read both together, or if no program is found in it."""
    (solution,) = solutions_from_rows([{"task_id": "gaps", "completion": completion}], [GAPS])
    assert comparable(solution.text) == comparable(program)


def test_a_solution_may_be_an_answer_with_fences() -> None:
    rows = [{"task_id": "peak", "solution": text} for text in (fenced(FUNCTION), f"\ufeff{FUNCTION}", "def peak(")]
    assert [solution.text for solution in solutions_from_rows(rows, [PEAK])] == [FUNCTION, FUNCTION, "def peak("]


def comparable(program: str) -> str:
    """Return a program without the empty lines, whose number may change where parts are joined."""
    return "\n".join(line for line in program.split("\n") if line.strip())
