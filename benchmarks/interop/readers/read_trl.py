"""Reads exported files with TRL's trainers. The Python of an environment with TRL runs this file."""

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

IGNORED = -100


def read(folder: Path, model: str) -> dict[str, list[dict[str, object]]]:
    import datasets
    import trl

    found: dict[str, list[dict[str, object]]] = {}
    for kind, trainer_class, config_class in (
        ("pairs", trl.DPOTrainer, trl.DPOConfig),
        ("kto", trl.KTOTrainer, trl.KTOConfig),
        ("sft", trl.SFTTrainer, trl.SFTConfig),
    ):
        (path,) = [path for path in folder.glob(f"{kind}.*") if path.suffix in (".jsonl", ".parquet")]
        reader = "json" if path.suffix == ".jsonl" else "parquet"
        rows = datasets.load_dataset(reader, data_files=str(path), split="train", cache_dir=f"{folder}/cache")
        with tempfile.TemporaryDirectory() as out:
            arguments = config_class(out, max_length=None, report_to=[], use_cpu=True, bf16=False)
            trainer = trainer_class(model, args=arguments, train_dataset=rows)
            tokenizer = trainer.processing_class
            found[kind] = [parts(row, tokenizer.decode) for row in trainer.train_dataset]
    return found


def parts(row: dict[str, object], decode: object) -> dict[str, object]:
    """Return the texts of the token ids that the trainer made of a row, and the row's label if it has one."""
    if "labels" in row and "input_ids" in row:
        both = list(zip(row["input_ids"], row["labels"], strict=True))
        return {
            "prompt": decode([token for token, label in both if label == IGNORED]),
            "answer": decode([token for token, label in both if label != IGNORED]),
        }
    names = {"prompt_ids": "prompt", "chosen_ids": "chosen", "rejected_ids": "rejected", "completion_ids": "answer"}
    found: dict[str, object] = {name: decode(row[column]) for column, name in names.items() if column in row}
    return found | ({"label": row["label"]} if "label" in row else {})


if __name__ == "__main__":
    result = {"versions": {"trl": version("trl"), "transformers": version("transformers")}}
    print(json.dumps(result | {"kinds": read(Path(sys.argv[1]), sys.argv[2])}))
