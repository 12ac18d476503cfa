"""What alignment does on the starter: each recipe over several seeds, measured on held-out problems.

    python benchmarks/starter.py --recipes tests-dpo dstc-dpo --seeds 0 1 2 --out runs/starter

Writes benchmarks/results/starter.json and .md, in which rows of other recipes stay. Runs that are finished in --out are
read, not repeated.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import codepref
from codepref.runs.recipes import load_recipe
from codepref.storage.files import read_json, write_json, write_text

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run what is owed, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=["tests-dpo", "dstc-dpo"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/starter"))
    options = parser.parse_args()
    before = read_json(RESULTS / "starter.json")["rows"] if (RESULTS / "starter.json").exists() else []
    rows = [entry for entry in before if entry["recipe"] not in options.recipes]
    for recipe in options.recipes:
        for seed in options.seeds:
            folder = options.out / f"{recipe}-{seed}"
            command = [sys.executable, "-m", "codepref", "demo", "--recipe", recipe]
            subprocess.run([*command, "--seed", str(seed), "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
            rows.append(row(recipe, seed, read_json(folder / "summary.json")))
            rows[-1]["validation"] = validation(folder, seed)
    seeds = " ".join(map(str, options.seeds))
    recipes = " ".join(dict.fromkeys(entry["recipe"] for entry in rows))
    made_by = f"python benchmarks/starter.py --recipes {recipes} --seeds {seeds}"
    first = read_json(options.out / f"{options.recipes[0]}-{options.seeds[0]}" / "summary.json")
    where = {key: first[key] for key in ("codepref", "machine", "versions")}
    write_json(RESULTS / "starter.json", {"command": made_by, **where, "rows": rows})
    text = table(rows, made_by, first["machine"])
    write_text(RESULTS / "starter.md", text)
    print(text)


def validation(folder: Path, seed: int) -> dict[str, Any]:
    """The same comparison on the starter's validation problems; only rubric-dpo's settings were chosen by them."""
    settings = load_recipe(folder / "recipe.toml").evaluation
    sides = {"base": "starter", "aligned": str(folder / "checkpoint")}
    for label, model in sides.items():
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
    found = codepref.compare(folder / "validation" / "base", folder / "validation" / "aligned", seed=seed)
    return {item.name: {key: getattr(item, key) for key in KEYS} for item in found}


def row(recipe: str, seed: int, summary: dict[str, Any]) -> dict[str, Any]:
    """The figures of one run that the table shows."""
    compared = {item["name"]: item for item in summary["comparison"]}
    return {
        "recipe": recipe,
        "seed": seed,
        "figures": {name: {key: item[key] for key in KEYS} for name, item in compared.items()},
        "pairs": summary["pairs"].get("count", 0),
        "share_right": (summary["pairs"].get("share_right") or {}).get("value"),
        "first_loss": summary["training"]["first_loss"],
        "seconds": round(sum(stage["seconds"] for stage in summary["stages"]), 1),
        "training_seconds": next(s["seconds"] for s in summary["stages"] if s["name"] == "train"),
    }


KEYS = ("base", "aligned", "difference", "low", "high", "p_value")


def difference(item: dict[str, float]) -> str:
    """A paired difference with its interval, in points."""
    return f"{100 * item['difference']:+.1f} [{100 * item['low']:+.1f}, {100 * item['high']:+.1f}]"


def change(item: dict[str, float]) -> str:
    """A figure before and after, in points."""
    return f"{100 * item['base']:.1f} → {100 * item['aligned']:.1f}"


def table(rows: list[dict[str, Any]], command: str, machine: dict[str, Any]) -> str:
    """The rows as Markdown; figures in percent points."""
    lines = [
        "# Alignment of the starter, held-out problems",
        "",
        f"`{command}` on {machine['cores']} cores ({machine['cpu']}), no GPU.",
        "Percent points; differences are of sampled pass@1, paired, with 95% intervals over problems. The last two "
        "columns are the same comparison on the validation problems, by which only rubric-dpo's settings were chosen.",
        "",
        "| recipe | seed | greedy pass@1 | sampled pass@1 | difference | pass@10 | pairs | right | seconds | "
        "validation: greedy | validation: difference |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in rows:
        figures = entry["figures"]
        sampled = figures["pass@1"]
        moved = {name: change(item) for name, item in figures.items()}
        right = "–" if entry["share_right"] is None else f"{100 * entry['share_right']:.0f}%"
        greedy = entry["validation"]["pass@1 greedy"]
        lines.append(
            f"| {entry['recipe']} | {entry['seed']} | {moved['pass@1 greedy']} | {moved['pass@1']} | "
            f"{difference(sampled)} | {moved.get('pass@10', '–')} | {entry['pairs']} | {right} | "
            f"{entry['seconds']:.0f} | {100 * greedy['base']:.1f} → {100 * greedy['aligned']:.1f} | "
            f"{difference(entry['validation']['pass@1'])} |"
        )
    judged = [entry for entry in rows if "rubric score" in entry["figures"]]
    if judged:
        lines += [
            "",
            "The rubric judge's score (docs/judging.md) of the same sampled answers, percent of its scale:",
            "",
        ]
        lines += ["| recipe | seed | rubric score | difference |", "|---|---|---|---|"]
    for entry in judged:
        item = entry["figures"]["rubric score"]
        lines.append(f"| {entry['recipe']} | {entry['seed']} | {change(item)} | {difference(item)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
