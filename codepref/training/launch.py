"""Training in several processes. A launcher starts the workers, and the first worker writes the model."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from codepref.errors import CodeprefError, GateError, InfrastructureError, MachineError, UserError
from codepref.storage.files import read_json, write_json
from codepref.training.job import Progress, TrainingJob
from codepref.training.methods.base import TrainingData
from codepref.training.result import TrainingResult
from codepref.training.staging import MARKER

ERRORS: dict[str, type[CodeprefError]] = {
    kind.__name__: kind for kind in (UserError, GateError, MachineError, InfrastructureError)
}
"""The errors that a worker reports through a file, by the names of their classes."""
JOB, PROGRESS = "job.pickle", "progress.json"
"""Files in the folder that the launching process shares with the workers. JOB holds the TrainingJob and its data.
PROGRESS holds the numbers of finished steps and of all steps."""
LAUNCHER_LINE = re.compile(r"[WE]\d{4} \S+ \d+ \S*torch/distributed/elastic/")
"""The beginning of a line that the launcher logs at its end, as a regular expression."""

START_LINE = re.compile(r"W\d{4} \S+ \d+ \S*torch/distributed/run\.py")
"""The beginning of a line of a warning that the launcher logs at its start."""


def error_file(folder: Path, rank: int) -> Path:
    """Return the file in which the worker with the rank `rank` reports an error."""
    return folder / f"error-{rank}.json"


def launch(job: TrainingJob, data: TrainingData) -> TrainingResult:
    """Train `job` on `data` in several processes.

    The file `settings.accelerate` decides on the number of processes. Without a file, `settings.processes` decides.
    When workers report errors, the error of the worker with the lowest rank is raised. Raises MachineError when the
    processes fail and report no error; the message holds the result of `last_lines`.
    """
    with tempfile.TemporaryDirectory(prefix="codepref-") as name:
        folder = Path(name)
        # a pickle is safe here: processes of one user exchange it in a folder that only this user can enter
        (folder / JOB).write_bytes(pickle.dumps((replace(job, progress=None), data)))
        with (folder / "output").open("w+") as output:
            process = subprocess.Popen(
                command(folder, job.settings.processes, job.settings.accelerate),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                _wait(process, folder, job.progress)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, 15)
                    process.wait()
            raise_reported_error(folder)
            if process.returncode:
                output.seek(0)
                raise MachineError(
                    f"training in several processes ended with status {process.returncode}; its last output is: "
                    f"{last_lines(output.read())}"
                )
    facts = read_json(job.out / MARKER)
    names = TrainingResult.__dataclass_fields__
    return TrainingResult(**{name: facts[name] for name in names if name in facts} | {"model": job.out})


def command(folder: Path, processes: int, accelerate: str) -> list[str]:
    """Return the command that starts the workers.

    folder: the folder with the job. accelerate: accelerate's configuration file, which decides on the number of
    processes, or "". Without a file the command uses torch's launcher, since `accelerate launch` can start several
    processes on CPUs only through MPI.
    """
    worker = ["-m", "codepref.training.worker", str(folder)]
    if accelerate:
        return [sys.executable, "-m", "accelerate.commands.launch", "--config_file", accelerate, *worker]
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [*run, *worker]


def _wait(process: subprocess.Popen[bytes], folder: Path, progress: Progress | None) -> None:
    last = None
    while process.poll() is None:
        time.sleep(0.2)
        if progress and (folder / PROGRESS).exists():
            steps = json.loads((folder / PROGRESS).read_text())
            if steps != last:
                last = steps
                progress(*steps)


def report_error(folder: Path, rank: int, error: CodeprefError) -> None:
    """Write an error for `raise_reported_error`. An error of a subclass is reported as one of its class in ERRORS."""
    kind = next(name for name, known in ERRORS.items() if isinstance(error, known))
    write_json(error_file(folder, rank), {"kind": kind, "problems": list(getattr(error, "problems", error.args))})


def raise_reported_error(folder: Path) -> None:
    """Raise the reported error of the worker with the lowest rank. Raises nothing if no worker reported one."""
    paths = sorted(folder.glob("error-*.json"), key=lambda path: int(path.stem.partition("-")[2]))
    for path in paths:
        report = read_json(path)
        raise ERRORS[report["kind"]](*report["problems"])


def last_lines(output: str) -> str:
    """Return the last lines that the workers wrote, at most three, joined into one line, or "no output".

    If a signal ended the first worker that failed, the launcher's words about this signal follow. The rest of the
    launcher's report is left out, since its long traceback would hide the lines of the workers.
    """
    lines = [line for line in output.splitlines() if line.strip() and not START_LINE.match(line)]
    end = next((at for at, line in enumerate(lines) if LAUNCHER_LINE.match(line)), len(lines))
    causes = [line.split(":", 1)[1].strip() for line in lines[end:] if line.split(":")[0].strip() == "traceback"]
    # the launcher lists the root cause last; if no signal ended the worker, that line only links to documentation
    signals = [cause for cause in causes[-1:] if cause.startswith("Signal")]
    return " | ".join([*lines[max(0, end - 3) : end], *signals]) or "no output"
