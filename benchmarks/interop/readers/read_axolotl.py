"""Reads exported files with axolotl's data loaders. The Python of an environment with axolotl runs this file."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

IGNORED = -100


def read(folder: Path, model: str) -> dict[str, list[dict[str, object]]]:
    import yaml
    from axolotl.loaders import load_tokenizer
    from axolotl.utils.data import prepare_datasets
    from axolotl.utils.data.rl import prepare_preference_datasets
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas.enums import RLType

    found: dict[str, list[dict[str, object]]] = {}
    for kind in ("pairs", "kto", "sft"):
        settings = yaml.safe_load((folder / f"{kind}.axolotl.yaml").read_text())
        settings |= {"base_model": model, "tokenizer_config": model, "sequence_len": 100_000, "dataset_num_proc": 1}
        settings |= {"base_model_config": model, "tokenizer_type": "AutoTokenizer", "output_dir": f"{folder}/out"}
        settings |= {"dataset_prepared_path": f"{folder}/prepared-{kind}", "micro_batch_size": 1, "num_epochs": 1}
        settings |= {"gradient_accumulation_steps": 1, "batch_size": 1, "seed": 0, "shuffle_merged_datasets": False}
        settings |= {
            "sample_packing": False,
            "val_set_size": 0.0,
            "dataset_exact_deduplication": False,
            "world_size": 1,
        }
        if kind != "sft":
            settings["rl"] = RLType(settings["rl"])
        cfg = DictDefault(settings)
        tokenizer = load_tokenizer(cfg)
        if kind == "sft":
            rows = prepare_datasets(cfg, tokenizer)[0]
        else:
            rows, _ = prepare_preference_datasets(cfg, tokenizer)
        found[kind] = [parts(row, tokenizer.decode) for row in rows]
    return found


def parts(row: dict[str, object], decode: object) -> dict[str, object]:
    if "input_ids" in row:
        both = list(zip(row["input_ids"], row["labels"], strict=True))
        prompt = decode([i for i, label in both if label == IGNORED])
        return {"prompt": prompt, "answer": decode([i for i, label in both if label != IGNORED])}
    names = {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected", "completion": "answer", "label": "label"}
    return {name: row[column] for column, name in names.items() if column in row}


if __name__ == "__main__":
    result = {"versions": {"axolotl": version("axolotl"), "transformers": version("transformers")}}
    print(json.dumps(result | {"kinds": read(Path(sys.argv[1]), sys.argv[2])}))
