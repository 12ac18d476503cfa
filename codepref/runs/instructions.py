"""The instructions and the graded benchmark that a recipe names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codepref.config.recipe import Recipe
from codepref.problems.codal import Benchmark, load_benchmark
from codepref.problems.instructions import Instructions, load_instructions
from codepref.records import Instruction, Problem

PLAIN = "{prompt}"
"""The template of a prompt that is the instruction itself."""


def load_recipe_instructions(recipe: Recipe) -> Instructions:
    """The recipe's instructions, each with its preference. Raises UserError as `load_instructions` does."""
    section = recipe.instructions
    return load_instructions(
        section.source,
        column=section.column or None,
        n=section.count or None,
        seed=section.draw_seed,
        preferences=recipe.judge.preferences,
        max_chars=section.max_chars,
    )


def as_problems(instructions: Sequence[Instruction]) -> list[Problem]:
    """Instructions as problems without tests, from which the pairs take their prompts."""
    return [Problem(one.task_id, one.text, "", style="instruct") for one in instructions]


def load_recipe_benchmark(recipe: Recipe) -> Benchmark:
    """The recipe's graded benchmark with the first `grading.limit` tasks. Raises UserError as `load_benchmark` does."""
    section = recipe.grading
    benchmark = load_benchmark(section.benchmark, reference=section.reference or None)
    return replace(benchmark, tasks=benchmark.tasks[: section.limit or None])
