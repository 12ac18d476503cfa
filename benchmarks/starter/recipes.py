"""Runs recipes on the starter with several seeds, and compares the aligned model with the starter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import codepref
from benchmarks.common.markdown import before_and_after, points
from codepref.runs.recipes import load_recipe
from codepref.storage.files import read_json, write_json, write_text

KEYS = ("base", "aligned", "difference", "low", "high", "p_value")
"""The fields that are kept of each compared figure."""


def measure(recipes: Sequence[str], seeds: Sequence[int], out: Path, results: Path) -> None:
    """Run each recipe with each seed, and write starter.json and starter.md to `results`.

    out: the folder of the runs. A finished run in this folder is read and not repeated.
    """
    before = read_json(results / "starter.json")["rows"] if (results / "starter.json").exists() else []
    rows = [entry for entry in before if entry["recipe"] not in recipes]
    for recipe in recipes:
        for seed in seeds:
            folder = out / f"{recipe}-{seed}"
            command = [sys.executable, "-m", "codepref", "demo", "--recipe", recipe]
            subprocess.run([*command, "--seed", str(seed), "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
            rows.append(row_of(recipe, seed, read_json(folder / "summary.json")))
            rows[-1]["validation"] = compare_on_validation(folder, seed)
    names = " ".join(dict.fromkeys(entry["recipe"] for entry in rows))
    command_line = f"python -m benchmarks.starter recipes --recipes {names} --seeds {' '.join(map(str, seeds))}"
    first = read_json(out / f"{recipes[0]}-{seeds[0]}" / "summary.json")
    facts = {key: first[key] for key in ("codepref", "machine", "versions")}
    write_json(results / "starter.json", {"command": command_line, **facts, "rows": rows})
    text = table(rows, command_line, first["machine"])
    write_text(results / "starter.md", text)
    print(text)


def compare_on_validation(folder: Path, seed: int) -> dict[str, Any]:
    """Compare the starter and the aligned model of a run on the starter's validation problems."""
    settings = load_recipe(folder / "recipe.toml").evaluation
    for label, model in {"base": "starter", "aligned": str(folder / "checkpoint")}.items():
        codepref.evaluate(
            "starter:validation",
            model=model,
            samples=settings.samples,
            k=settings.k,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_new_tokens=settings.max_new_tokens,
            seed=seed,
            label=label,
            out=folder / "validation" / label,
        )
    compared = codepref.compare(folder / "validation" / "base", folder / "validation" / "aligned", seed=seed)
    return {item.name: {key: getattr(item, key) for key in KEYS} for item in compared}


def row_of(recipe: str, seed: int, summary: dict[str, Any]) -> dict[str, Any]:
    """Return the row of one run: its figures, pairs and times. summary: the content of the run's summary.json."""
    return {
        "recipe": recipe,
        "seed": seed,
        "figures": {item["name"]: {key: item[key] for key in KEYS} for item in summary["comparison"]},
        "pairs": summary["pairs"].get("count", 0),
        "share_right": (summary["pairs"].get("share_right") or {}).get("value"),
        "first_loss": summary["training"]["first_loss"],
        "seconds": round(sum(stage["seconds"] for stage in summary["stages"]), 1),
        "training_seconds": next(s["seconds"] for s in summary["stages"] if s["name"] == "train"),
    }


def table(rows: list[dict[str, Any]], command: str, machine: dict[str, Any]) -> str:
    """Return a Markdown document with one line for each row. Rows with rubric scores have a line in a second table."""
    lines = [
        "# Alignment of the starter, held-out problems",
        "",
        f"`{command}` on {machine['cores']} cores ({machine['cpu']}), no GPU.",
        "Figures are in percent. Differences are paired differences of sampled pass@1, with 95% intervals over "
        "problems. The last two columns compare the models on the validation problems. Only the settings of rubric-dpo "
        "were chosen on the validation problems.",
        "",
        "| recipe | seed | greedy pass@1 | sampled pass@1 | difference | pass@10 | pairs | right | seconds | "
        "validation: greedy | validation: difference |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in rows:
        figures, validation = entry["figures"], entry["validation"]
        changes = {name: before_and_after(item) for name, item in figures.items()}
        right = "–" if entry["share_right"] is None else f"{100 * entry['share_right']:.0f}%"
        lines.append(
            f"| {entry['recipe']} | {entry['seed']} | {changes['pass@1 greedy']} | {changes['pass@1']} | "
            f"{points(figures['pass@1'])} | {changes.get('pass@10', '–')} | {entry['pairs']} | {right} | "
            f"{entry['seconds']:.0f} | {before_and_after(validation['pass@1 greedy'])} | "
            f"{points(validation['pass@1'])} |"
        )
    rated = [entry for entry in rows if "rubric score" in entry["figures"]]
    if rated:
        lines += [
            "",
            "The rubric judge's score of the same sampled answers, in percent of its scale:",
            "",
            "| recipe | seed | rubric score | difference |",
            "|---|---|---|---|",
        ]
    for entry in rated:
        item = entry["figures"]["rubric score"]
        lines.append(f"| {entry['recipe']} | {entry['seed']} | {before_and_after(item)} | {points(item)} |")
    return "\n".join(lines) + "\n"
