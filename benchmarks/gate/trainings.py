"""Does the gate tell good trainings from bad ones? Twenty bad ones on the starter, beside the good ones of methods.py.

    python benchmarks/methods.py --out runs/methods && python benchmarks/gate.py --out runs/methods

Each bad training is what a user may do by mistake; all are watched and judged as a recipe's run is. Writes
benchmarks/results/gate.json and .md.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from methods import BASE, METHODS, RESULTS, Bench, change, gold, judged

from codepref.config.sections import TrainingSection
from codepref.errors import CodeprefError
from codepref.execution.execute import read_verdicts
from codepref.models import resolve_model
from codepref.records import Pair
from codepref.runs.summary import machine, versions
from codepref.storage.files import read_json, write_json, write_text
from codepref.training.kto_rows import Example, Examples, examples_from_verdicts
from codepref.training.train import train_on

GOOD = ("sft", "rft", "rpo", "kto", "dstc-rpo", "agreement-rpo", "rpo-2-rounds")
"""Methods of methods.py that a user would run; plain DPO, which gains little on the starter, is neither."""
DPO = replace(BASE, method="dpo", chosen_weight=0.0)
RPO, KTO, SFT = METHODS["rpo"][1], METHODS["kto"][1], METHODS["sft"][1]
Lessons = Callable[[Bench], Any]


@dataclass(frozen=True)
class Bad:
    """A training that should not be promoted: what it learns from, its settings, a change of the chat template."""

    name: str
    lessons: Lessons
    settings: TrainingSection
    template: Callable[[str], str] | None = None


def true_pairs(bench: Bench) -> list[Pair]:
    """Right pairs, by true tests."""
    found: list[Pair] = bench.pairs(bench.folder / "base" / "true", "all-tests")
    return found


def inverted(bench: Bench) -> list[Pair]:
    """Every pair the wrong way round."""
    return [replace(pair, chosen=pair.rejected, rejected=pair.chosen) for pair in true_pairs(bench)]


def noise(bench: Bench) -> list[Pair]:
    """Each pair's sides by the toss of a coin."""
    draw = random.Random(bench.seed)
    both = zip(true_pairs(bench), inverted(bench), strict=True)
    return [right if draw.random() < 0.5 else wrong for right, wrong in both]


def misplaced(bench: Bench) -> list[Pair]:
    """Answers under the prompts of other problems."""
    pairs = true_pairs(bench)
    return [
        replace(pair, chosen=other.chosen, rejected=other.rejected)
        for pair, other in zip(pairs, pairs[1:] + pairs[:1], strict=True)
    ]


def longest(bench: Bench) -> list[Pair]:
    """The longest of a problem's solutions over its shortest, right or wrong."""
    problems, found = {problem.task_id: problem for problem in bench.train}, []
    prompts = {example.task_id: example.prompt for example in gold(bench.train, bench.template).examples}
    for matrix in read_verdicts(bench.folder / "base" / "true"):
        texts = sorted({verdict.solution for verdict in matrix.verdicts if verdict.solution.strip()}, key=len)
        if len(texts) > 1 and matrix.task_id in problems:
            sides = [[{"role": "assistant", "content": text}] for text in (texts[-1], texts[0])]
            found.append(Pair(matrix.task_id, prompts[matrix.task_id], sides[0], sides[1], "longest", 1.0, 0, 1))
    return found


def examples(bench: Bench) -> Examples:
    """Own solutions by true tests."""
    matrices = read_verdicts(bench.folder / "base" / "true")
    return examples_from_verdicts(matrices, bench.train, template=bench.template, fence=False, seed=bench.seed)


def flipped(bench: Bench) -> Examples:
    """Wanted answers as unwanted ones and the reverse."""
    return Examples([replace(one, wanted=not one.wanted) for one in examples(bench).examples], {})


def tossed(bench: Bench) -> Examples:
    """Labels by the toss of a coin."""
    draw = random.Random(bench.seed)
    return Examples([replace(one, wanted=draw.random() < 0.5) for one in examples(bench).examples], {})


def failing(bench: Bench) -> Examples:
    """Solutions that fail, as demonstrations."""
    return Examples([replace(one, wanted=True) for one in examples(bench).examples if not one.wanted], {})


def few(bench: Bench) -> Examples:
    """The gold solutions of eight problems."""
    return Examples(gold(bench.train[:8], bench.template).examples, {})


def one_answer(bench: Bench) -> Examples:
    """The same answer to every prompt."""
    found: list[Example] = gold(bench.train, bench.template).examples
    return Examples([replace(one, completion=found[0].completion) for one in found], {})


def without_end(template: str) -> str:
    """Answers that never end."""
    return template.replace(" + '<|end|>'", "")


def other_turn(template: str) -> str:
    """A generation prompt that training does not see."""
    return template.replace("{{ '<|assistant|>' }}", "{{ '<|user|>' }}")


def without_question(template: str) -> str:
    """The user's text left out; nothing that a check of the template alone could see."""
    return template.replace("message['content']", "(message['content'] if message['role'] == 'assistant' else '')")


BAD = (
    Bad("inverted pairs, RPO", inverted, RPO),
    Bad("inverted pairs, DPO", inverted, DPO),
    Bad("inverted labels, KTO", flipped, KTO),
    Bad("failing solutions, SFT", failing, SFT),
    Bad("noise pairs, RPO", noise, RPO),
    Bad("noise pairs, DPO", noise, DPO),
    Bad("noise labels, KTO", tossed, KTO),
    Bad("answers of other problems, RPO", misplaced, RPO),
    Bad("learning rate x 100, RPO", true_pairs, replace(RPO, learning_rate=2e-2)),
    Bad("learning rate x 100, DPO", true_pairs, replace(DPO, learning_rate=2e-2)),
    Bad("learning rate x 100, KTO", examples, replace(KTO, learning_rate=2e-2)),
    Bad("longest over shortest, RPO", longest, RPO),
    Bad("longest over shortest, DPO", longest, DPO),
    Bad("too many epochs, DPO", true_pairs, replace(DPO, epochs=20.0)),
    Bad("too many epochs, KTO without likelihood", examples, replace(KTO, chosen_weight=0.0, epochs=12.0)),
    Bad("too many epochs over eight problems, SFT", few, replace(SFT, epochs=200.0, batch_size=8)),
    Bad("one answer to everything, SFT", one_answer, SFT),
    Bad("chat template without the question, RPO", true_pairs, RPO, without_question),
    Bad("chat template with another generation prompt, RPO", true_pairs, RPO, other_turn),
    Bad("chat template without EOS, RPO", true_pairs, RPO, without_end),
)


def row(bench: Bench, bad: Bad) -> dict[str, Any]:
    """Train, measure and judge, or read what was found before. A refusal before training is no promotion either."""
    folder = bench.folder / "bad" / "".join(code if code.isalnum() else "-" for code in bad.name)
    if (folder / "row.json").exists():
        kept: dict[str, Any] = read_json(folder / "row.json")
        return kept
    base = bench.scores("starter", bench.folder / "base" / "scores", "base")
    begun = time.monotonic()
    found: dict[str, Any] = {"name": bad.name, "seed": bench.seed}
    start = altered(bad.template, folder / "start") if bad.template else "starter"
    try:
        trained = train_on(
            bad.lessons(bench), start, folder / "model", bad.settings, seed=bench.seed, watch=bench.probing()
        )
    except CodeprefError as error:
        found |= {"refused": str(error), "promoted": False}
    else:
        found |= {"stopped": trained.stopped, "warnings": trained.warnings, "steps": trained.steps}
        found |= {"kept_step": trained.kept_step, "training_seconds": round(time.monotonic() - begun, 1)}
        found |= judged(base, bench.scores(str(folder / "model"), folder / "scores", bad.name), bench.seed)
        found["promoted"] = found["gate"]["promoted"]
    write_json(folder / "row.json", found)
    return found


def altered(change_of: Callable[[str], str], folder: Path) -> str:
    """The starter with another chat template."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(resolve_model("starter"), folder)
    for path in (folder / "chat_template.jinja", folder / "tokenizer_config.json"):
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jinja":
            path.write_text(change_of(text), encoding="utf-8")
        elif "chat_template" in (config := json.loads(text)):
            path.write_text(json.dumps(config | {"chat_template": change_of(config["chat_template"])}))
    return str(folder)


def main() -> None:
    """Run what is owed, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/methods"), help="the folder of methods.py")
    options = parser.parse_args()
    bench = Bench(options.out / "seed-0", 0)
    bad = []
    for one in BAD:
        bad.append(row(bench, one))
        print(f"{one.name}: {'PROMOTED' if bad[-1]['promoted'] else 'not promoted'}", file=sys.stderr)
    good = [kept for kept in read_json(RESULTS / "methods.json")["rows"] if kept["method"] in GOOD]
    where = {"machine": machine(), "versions": versions()}
    write_json(RESULTS / "gate.json", {**where, "bad": bad, "good": good})
    text = table(bad, good, where["machine"])
    write_text(RESULTS / "gate.md", text)
    print(text)


def table(bad: list[dict[str, Any]], good: list[dict[str, Any]], where: dict[str, Any]) -> str:
    """What became of each."""
    promoted_bad, promoted_good = sum(one["promoted"] for one in bad), sum(one["gate"]["promoted"] for one in good)
    lines = [
        "# The gate over bad and good trainings of the starter",
        "",
        "`python benchmarks/gate.py` after `benchmarks/methods.py`, "
        f"on {where['cores']} cores ({where['cpu']}), no GPU.",
        f"Of {len(bad)} bad trainings {promoted_bad} were promoted, of {len(good)} good ones {promoted_good}, by the "
        "gate's defaults: sampled pass@1 on 200 held-out problems, not more than 1 point worse by the 95% interval.",
        "",
        "| bad training | sampled pass@1 | greedy pass@1 | training | gate |",
        "|---|---|---|---|---|",
    ]
    for one in bad:
        figures = ["", ""]
        if "figures" in one:
            figures = [change(one["figures"][name]) for name in ("pass@1", "pass@1 greedy")]
        how = f"refused: {one['refused'][:90]}..." if "refused" in one else one["stopped"] or "to its end"
        lines.append(f"| {one['name']} | {' | '.join(figures)} | {how} | {word(one['promoted'])} |")
    lines += ["", "| good training | seed | sampled pass@1 | greedy pass@1 | gate |", "|---|---|---|---|---|"]
    for one in good:
        figures = [change(one["figures"][name]) for name in ("pass@1", "pass@1 greedy")]
        lines.append(f"| {one['method']} | {one['seed']} | {' | '.join(figures)} | {word(one['gate']['promoted'])} |")
    return "\n".join(lines) + "\n"


def word(promoted: bool) -> str:
    """The gate's word."""
    return "promoted" if promoted else "not promoted"


if __name__ == "__main__":
    main()
