"""Training in several processes: started by accelerate, each does its share, and one writes the model."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codepref.errors import GateError, InfrastructureError, MachineError, UserError
from codepref.storage.files import read_json, write_json
from codepref.training.processes import is_first, rank
from codepref.training.setup import Progress
from codepref.training.staging import MARKER
from codepref.training.trainer import TrainingResult

KINDS = {kind.__name__: kind for kind in (UserError, GateError, MachineError, InfrastructureError)}
JOB, SAID, PROGRESS = "job.pickle", "error-{rank}.json", "progress.json"
LAUNCHER = re.compile(r"[WE]\d{4} \S+ \d+ \S*torch/distributed/elastic/")


def launched(job: Mapping[str, Any], *, processes: int, accelerate: str, progress: Progress | None) -> TrainingResult:
    """`train_on(**job)` in `processes` processes, or as many as the accelerate configuration file `accelerate` says.

    What a worker raises of codepref's own errors is raised here, the first worker's before another's. Raises
    MachineError when the processes end without such a word: the last lines that they wrote are in the message.
    """
    with tempfile.TemporaryDirectory(prefix="codepref-") as name:
        folder = Path(name)
        # a pickle between processes of one user on one machine, in a folder that only they can enter
        (folder / JOB).write_bytes(pickle.dumps(dict(job)))
        with (folder / "output").open("w+") as output:
            process = subprocess.Popen(
                command(folder, processes, accelerate), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                _wait(process, folder, progress)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, 15)
                    process.wait()
            _raise_what_was_said(folder)
            if process.returncode:
                output.seek(0)
                raise MachineError(
                    f"training in several processes ended with status {process.returncode}: {last_words(output.read())}"
                )
    facts = read_json(Path(job["out"]) / MARKER)
    names = TrainingResult.__dataclass_fields__
    return TrainingResult(**{name: facts[name] for name in names if name in facts} | {"model": Path(job["out"])})


def command(folder: Path, processes: int, accelerate: str) -> list[str]:
    """The command that starts the workers.

    `accelerate launch` starts several processes on CPUs through MPI alone; torch's own launcher, by which it
    starts those of GPUs, needs none.
    """
    worker = ["-m", "codepref.training.worker", str(folder)]
    if accelerate:
        return [sys.executable, "-m", "accelerate.commands.launch", "--config_file", accelerate, *worker]
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [*run, *worker]


def _wait(process: subprocess.Popen[bytes], folder: Path, progress: Progress | None) -> None:
    told = None
    while process.poll() is None:
        time.sleep(0.2)
        if progress and (folder / PROGRESS).exists():
            now = json.loads((folder / PROGRESS).read_text())
            if now != told:
                told = now
                progress(*now)


def _raise_what_was_said(folder: Path) -> None:
    for path in sorted(folder.glob(SAID.format(rank="*"))):
        said = read_json(path)
        raise KINDS[said["kind"]](*said["problems"])


def last_words(output: str) -> str:
    """The last lines that the processes wrote and what ended the first that failed, without the launcher's own report.

    torch's launcher ends with forty lines of its own traceback and a table, which hide what the user needs.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    own = next((k for k, line in enumerate(lines) if LAUNCHER.match(line)), len(lines))
    signals = [line.split(":", 1)[1].strip() for line in lines[own:] if line.split(":")[0].strip() == "traceback"]
    # the root cause stands last; where a process ended without a signal, there is only an advertisement of error files
    ended = [text for text in signals[-1:] if text.startswith("Signal")]
    return " | ".join([*lines[max(0, own - 3) : own], *ended]) or "they wrote nothing"


def work(folder: Path) -> None:
    """What each process does: the job. Errors, and the progress of the first, are told through files."""
    from codepref.training.train import train_on

    job = pickle.loads((folder / JOB).read_bytes())

    def progress(done: int, total: int) -> None:
        write_json(folder / PROGRESS, [done, total])

    try:
        train_on(**job, progress=progress if is_first() else None)
    except tuple(KINDS.values()) as error:
        said = {"kind": type(error).__name__, "problems": list(getattr(error, "problems", error.args))}
        write_json(folder / SAID.format(rank=rank()), said)
        raise SystemExit(1) from error
