"""Reads exported files with OpenRLHF's data sets. The Python of an environment with OpenRLHF runs this file."""

import json
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace


def read(folder: Path, model: str) -> dict[str, list[dict[str, object]]]:
    import transformers
    from openrlhf.datasets import RewardDataset, SFTDataset
    from openrlhf.datasets.utils import blending_datasets

    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    found: dict[str, list[dict[str, object]]] = {}
    for kind in ("pairs", "sft"):
        data = options((folder / f"{kind}.openrlhf.sh").read_text())
        arguments = SimpleNamespace(data=SimpleNamespace(**data), use_ms=False)
        strategy = SimpleNamespace(args=arguments, print=lambda *_: None, is_rank_0=lambda: False)
        rows = blending_datasets(data["dataset"], strategy=strategy)
        if kind == "pairs":
            made = RewardDataset(rows, tokenizer, 100_000, strategy, is_dpo=True, num_processors=1)
            found[kind] = [pair(made[place], tokenizer.decode) for place in range(len(made))]
        else:
            made = SFTDataset(rows, tokenizer, 100_000, strategy, num_processors=1)
            found[kind] = [answer(made[place], tokenizer.decode) for place in range(len(made))]
    return found


def options(command: str) -> dict[str, object]:
    """Return NAME -> value of the options --data.NAME in an exported command. An option without a value has True."""
    words = shlex.split(command.replace("\\\n", " "))
    found: dict[str, object] = {}
    for place, word in enumerate(words):
        if word.startswith("--data."):
            value = words[place + 1] if place + 1 < len(words) else "--"
            found[word.removeprefix("--data.")] = True if value.startswith("--") else value
    return found


def pair(item: tuple[object, ...], decode: object) -> dict[str, object]:
    chosen, _, rejected, _, length = item
    return {
        "prompt": decode(chosen[0][:length]),
        "chosen": decode(chosen[0][length:]),
        "rejected": decode(rejected[0][length:]),
    }


def answer(item: tuple[object, ...], decode: object) -> dict[str, object]:
    ids, _, mask = item
    first = int(mask[0].nonzero()[0]) + 1  # the mask stands one token before the token that is learned
    return {"prompt": decode(ids[0][:first]), "answer": decode(ids[0][first:])}


if __name__ == "__main__":
    result = {"versions": {"openrlhf": version("openrlhf"), "transformers": version("transformers")}}
    print(json.dumps(result | {"kinds": read(Path(sys.argv[1]), sys.argv[2])}))
