"""Reads exported files with LLaMA-Factory's loader. The Python of an environment with LLaMA-Factory runs this file."""

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

STAGES = {"dpo": "rm", "kto": "kto", "sft": "sft"}
"""The name of a stage in LLaMA-Factory's YAML files -> its name for `get_dataset`."""
IGNORED = -100


def read(folder: Path, model: str) -> dict[str, list[dict[str, object]]]:
    import yaml
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    found: dict[str, list[dict[str, object]]] = {}
    for kind in ("pairs", "kto", "sft"):
        settings = yaml.safe_load((folder / f"{kind}.llamafactory.yaml").read_text())
        settings |= {"template": "default", "cutoff_len": 100_000, "model_name_or_path": model, "do_train": True}
        settings |= {"output_dir": tempfile.mkdtemp(), "overwrite_cache": True, "use_cpu": True, "report_to": "none"}
        settings |= {"finetuning_type": "full"}
        model_args, data_args, training_args, _, _ = get_train_args(settings)
        modules = load_tokenizer(model_args)
        template = get_template_and_fix_tokenizer(modules["tokenizer"], data_args)
        stage = STAGES[settings["stage"]]
        rows = get_dataset(template, model_args, data_args, training_args, stage=stage, **modules)["train_dataset"]
        found[kind] = [parts(row, modules["tokenizer"].decode) for row in rows]
    return found


def parts(row: dict[str, list[int]], decode: object) -> dict[str, object]:
    def split(ids: list[int], labels: list[int]) -> tuple[str, str]:
        both = list(zip(ids, labels, strict=True))
        return decode([i for i, label in both if label == IGNORED]), decode(
            [i for i, label in both if label != IGNORED]
        )

    if "chosen_input_ids" in row:
        prompt, chosen = split(row["chosen_input_ids"], row["chosen_labels"])
        _, rejected = split(row["rejected_input_ids"], row["rejected_labels"])
        return {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    prompt, answer = split(row["input_ids"], row["labels"])
    label = {"label": row["kto_tags"]} if "kto_tags" in row else {}
    return {"prompt": prompt, "answer": answer, **label}


if __name__ == "__main__":
    result = {"versions": {"llamafactory": version("llamafactory"), "transformers": version("transformers")}}
    print(json.dumps(result | {"kinds": read(Path(sys.argv[1]), sys.argv[2])}))
