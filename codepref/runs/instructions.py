"""Loads the instructions and the graded benchmark that a recipe names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codepref.config.recipe import Recipe
from codepref.problems.codal import Benchmark, load_benchmark
from codepref.problems.instructions import Instructions, load_instructions
from codepref.records import Instruction, Problem

PLAIN = "{prompt}"
"""The template of prompts that hold only the instruction."""


def load_recipe_instructions(recipe: Recipe) -> Instructions:
    """Return the recipe's instructions, each with its preference. Raises what `load_instructions` raises."""
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
    """Return instructions as problems without tests. Pairs take their prompts from these problems."""
    return [Problem(one.task_id, one.whole, "", style="instruct") for one in instructions]


def load_recipe_benchmark(recipe: Recipe) -> Benchmark:
    """Return the recipe's graded benchmark, with its first `grading.limit` tasks (0: all).

    Raises what `load_benchmark` raises.
    """
    section = recipe.grading
    benchmark = load_benchmark(section.benchmark, reference=section.reference or None)
    return replace(benchmark, tasks=benchmark.tasks[: section.limit or None])
