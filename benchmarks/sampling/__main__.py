"""Measures answers and tokens a second of engines on the same requests. The engines take turns.

generate     Transformers' `generate` in float32, in padded batches of requests with prompts of similar length
embedded     codepref's engine in this process, which codepref uses for the folder of a model
vllm         vLLM's offline loop, in the Python that --vllm-python names
vllm-server  codepref with the preset `vllm`: codepref starts `vllm serve` of the same Python, and asks it
server       codepref's engine for servers, with the server that --base-url names

If an engine of --engines needs an option that is missing, its row has the reason in place of figures. The results files
keep their parts about other models.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.common.options import add_results
from benchmarks.common.results import RESULTS, add_part, command_line, describe_run, installed_version, log, read_parts

ENGINES = ("generate", "embedded", "vllm", "vllm-server", "server")
"""The engines in the order of the results."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.sampling", description=__doc__, formatter_class=plain)
    parser.add_argument("--model", default="starter", help="folder or `starter` (default: starter)")
    parser.add_argument("--name", default="", help="name of the model in the results (default: that of its folder)")
    parser.add_argument("--problems", default="starter:heldout", help="source of problems (default: starter:heldout)")
    parser.add_argument("--limit", type=int, default=64, help="number of problems (default: 64)")
    parser.add_argument("-n", type=int, default=8, help="answers to each problem (default: 8)")
    parser.add_argument("--temperature", type=float, default=0.8, help="default: 0.8")
    parser.add_argument("--max-new-tokens", type=int, default=160, help="default: 160")
    parser.add_argument("--batch-size", type=int, default=128, help="answers at once (default: 128)")
    parser.add_argument("--rounds", type=int, default=3, help="times that each engine runs (default: 3)")
    parser.add_argument("--greedy", type=int, default=64, help="problems whose greedy texts are compared (default: 64)")
    parser.add_argument(
        "--engines", nargs="+", choices=ENGINES, default=ENGINES, help="the engines to measure (default: all)"
    )
    parser.add_argument("--vllm-python", default="", help="python of an environment with vLLM")
    parser.add_argument(
        "--vllm-options",
        default="",
        help="options of `vllm serve`, for its offline loop too, such as '--max-num-seqs 64'",
    )
    parser.add_argument("--base-url", default="", help="address of a server of the model")
    parser.add_argument("--served-name", default="", help="the server's name for the model (default: that of --model)")
    add_results(parser, RESULTS, "sampling.json and sampling.md")
    return parser


def main() -> int:
    """Measure the engines and write the results."""
    from benchmarks.sampling.systems import Work, measure
    from benchmarks.sampling.table import document

    options = build_parser().parse_args()
    name = options.name or Path(options.model).name
    hidden = {options.model: name, options.vllm_python: "PYTHON", options.base_url: "URL"}
    hidden |= {options.problems: Path(options.problems).name, str(options.results): "DIR"}
    hidden.pop("", None)
    begun, load = time.monotonic(), os.getloadavg()
    part: dict[str, Any] = describe_run(command_line("sampling", hidden))
    part["versions"] |= {one: version for one in ("torch", "transformers") if (version := installed_version(one))}
    part |= measure(Work.from_options(options))
    part |= {"wall_seconds": round(time.monotonic() - begun, 1), "load_after": round(os.getloadavg()[0], 2)}
    log(f"load average before {load[0]:.1f}, after {part['load_after']:.1f}")
    path = options.results / "sampling.json"
    add_part(path, name, part)
    text = document(read_parts(path))
    (options.results / "sampling.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
