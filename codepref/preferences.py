"""The five coding preferences of CodeUltraFeedback (arXiv 2403.09032, section 2.1), as data.

Keys and their order are the published data set's. Questions, aspects, scales and principles are in codepref's own
words: figures made with them compare with each other, and with published ones in kind only.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PREFERENCES = ("instruction-following", "readability", "complexity", "style", "explanation")
"""In the order in which the published data set gives them out: the preference of instruction i is the (i mod 5)-th."""


@dataclass(frozen=True, slots=True)
class Preference:
    """One quality of an answer that can be preferred.

    title: for tables. question: what a judge answers. aspects: what it looks at. levels: what each point of the scale
    from 1 to 5 means, the lowest first. principles: ten ways to ask a model for this quality, for system prompts.
    """

    key: str
    title: str
    question: str
    aspects: tuple[str, ...]
    levels: tuple[str, str, str, str, str]
    principles: tuple[str, ...]


_ALL = (
    Preference(
        key="instruction-following",
        title="instruction following",
        question="How closely does the answer keep to what the request asks for?",
        aspects=(
            "every requirement of the request is met, in the language, form and scope that it names",
            "limits that it sets (names, signatures, libraries, formats, complexity) are kept",
            "nothing is added that it did not ask for and would have to be taken out again",
        ),
        levels=(
            "the request is missed: another task is solved, or none",
            "the topic is right, and most requirements or a central one are missed",
            "the central requirement is met, and several others are missed or changed",
            "all requirements are met but for small ones",
            "every requirement and limit is met, and nothing is in the way",
        ),
        principles=(
            "Do exactly what the request says, part by part.",
            "Before you answer, list for yourself what is required, and leave nothing of it out.",
            "Keep to every limit that the request sets, even where you would choose otherwise.",
            "Use the names, signatures and formats that the request gives, code by code.",
            "Answer what was asked, and do not answer what was not.",
            "Where the request names a library, language or method, use that one.",
            "Check your answer against each sentence of the request before you give it.",
            "When the request has several parts, answer each of them.",
            "Take the request by its word, and say so where its words leave a choice.",
            "Let the request decide how long and how detailed the answer is.",
        ),
    ),
    Preference(
        key="readability",
        title="code readability",
        question="How easily can another programmer read and understand the code?",
        aspects=(
            "names say what things are",
            "the code is laid out so that its structure can be seen: short units, even indentation, little nesting",
            "comments help where the code cannot speak for itself, and stay away elsewhere",
        ),
        levels=(
            "hardly readable: names say nothing and the structure is hidden",
            "readable with effort: several parts have to be worked out",
            "readable, with parts that slow the reader down",
            "clear throughout, with a detail or two that could be clearer",
            "reads at once: names, layout and comments carry the reader through",
        ),
        principles=(
            "Write code that a stranger can read from top to bottom without stopping.",
            "Give every variable and function a name that says what it is for.",
            "Keep functions short, each with one purpose.",
            "Show the structure of the program in its layout.",
            "Prefer the plain way of writing something to the clever one.",
            "Comment what the code cannot say, and only that.",
            "Avoid deep nesting; leave early instead.",
            "Use the same name for the same thing everywhere.",
            "Break long expressions into named steps.",
            "Write as if the next reader knows the language and not your problem.",
        ),
    ),
    Preference(
        key="complexity",
        title="code complexity and efficiency",
        question="Is the code as simple as the task allows, and does it use time and memory well?",
        aspects=(
            "the algorithm and the data structures fit the size that the task may have",
            "no work is done twice and nothing is kept that is not needed",
            "no more code, branches or abstractions than the task needs",
        ),
        levels=(
            "needlessly complicated and wasteful, or unusable at the sizes that the task names",
            "a much simpler or faster way is plain to see",
            "reasonable, with avoidable work or avoidable complications",
            "simple and efficient but for small matters",
            "as simple as the task allows, with the right algorithm and data structures",
        ),
        principles=(
            "Choose the algorithm by how it grows with the size of its input.",
            "Solve the task with as little code as it needs and no less.",
            "Do not compute twice what can be kept.",
            "Pick the data structure that makes the common operation cheap.",
            "Use what the standard library already does well.",
            "Avoid loops inside loops where one pass is enough.",
            "Keep in memory only what is still needed.",
            "Add no layer, class or option that the task does not ask for.",
            "Handle large inputs as calmly as small ones.",
            "Say what your solution costs in time and memory where it matters, and keep that cost low.",
        ),
    ),
    Preference(
        key="style",
        title="coding style",
        question="Does the code follow the conventions and idioms of its language?",
        aspects=(
            "naming, spacing and layout follow the language's common guide (PEP 8 for Python)",
            "the language's own idioms are used where they fit",
            "one style is kept throughout; errors and resources are handled as is usual in the language",
        ),
        levels=(
            "breaks the language's conventions nearly everywhere",
            "breaks many conventions, or writes one language as if it were another",
            "follows the main conventions, with several lapses",
            "follows conventions and idioms but for small lapses",
            "could stand in the language's own documentation",
        ),
        principles=(
            "Follow the style guide that the language's community agrees on.",
            "Write the language as its experienced users write it.",
            "Name things by the conventions of the language: cases, prefixes, plurals.",
            "Keep one style from the first line to the last.",
            "Use the idioms of the language where they make code shorter and clearer.",
            "Order imports, constants and functions as the conventions say.",
            "Handle errors in the way that is usual in the language.",
            "Close what you open, with the language's own means.",
            "Document public functions in the usual form.",
            "Leave nothing that a common linter would report.",
        ),
    ),
    Preference(
        key="explanation",
        title="code explanation",
        question="How well does the answer explain its code to the one who asked?",
        aspects=(
            "what the code does and why it does it that way is explained, not only repeated in words",
            "the explanation is correct, complete where it matters and no longer than needed",
            "it suits the reader: terms are explained where they are new, an example is given where it helps",
        ),
        levels=(
            "no explanation, or a wrong one",
            "a few words that leave most of the code unexplained",
            "explains what the code does, with gaps or without reasons",
            "explains code and reasons well but for small gaps",
            "explains code, reasons and use so that the reader could go on alone",
        ),
        principles=(
            "Explain your code to the one who asked: what it does, and why in this way.",
            "Walk through the main steps of the code in plain words.",
            "Give the reasons for the choices you made, and what you decided against.",
            "Show on an example what goes in and what comes out.",
            "Explain terms that the reader may not know.",
            "Say what the code assumes and where it would fail.",
            "Keep the explanation as short as it can be and still be complete.",
            "Put the explanation where it helps: before the code for the idea, in comments for details.",
            "Explain how to run and try the code.",
            "Teach the idea behind the solution, so that the reader can use it elsewhere.",
        ),
    ),
)

BY_KEY: Mapping[str, Preference] = {preference.key: preference for preference in _ALL}
"""Each preference by its key."""
