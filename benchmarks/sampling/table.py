"""Makes the Markdown document of the sampling benchmark. Pure."""

from __future__ import annotations

from typing import Any

from benchmarks.common.markdown import grid, part_head


def document(parts: dict[str, Any]) -> str:
    """Return a document with one section for each part of sampling.json.

    parts: the content of sampling.json, by the names of the models or by the values of `--name`.
    """
    lines = [
        "# Answers a second of engines",
        "",
        "All engines of a section answer the same requests in turns. `vllm` is vLLM's offline loop. `vllm-server` is "
        "codepref with the preset `vllm`. A speed is the median over rounds. `times` compares answers a second with "
        "those of the first engine of the table. `generate` runs in float32. The greedy texts of `embedded` and "
        "`generate` are compared in float32.",
        "",
    ]
    for name, part in parts.items():
        lines += part_head(name, part)
        base = next(iter(part["engines"].values()), {})
        rows = [
            (
                engine,
                figures.get("facts", {}).get("dtype", "–"),
                f"{figures['answers_per_second']:.1f}",
                f"{figures['tokens_per_second']:,.0f}",
                f"{figures['answers_per_second'] / base['answers_per_second']:.2f}",
            )
            for engine, figures in part["engines"].items()
        ]
        rows += [(engine, "–", f"not measured: {reason}", "–", "–") for engine, reason in part["not measured"].items()]
        lines += grid(("engine", "type", "answers/s", "tokens/s", "times"), rows)
        if greedy := part["greedy"]:
            lines += [f"{greedy['identical']} of {greedy['texts']} greedy texts are identical.", ""]
    return "\n".join(lines).rstrip() + "\n"
