"""One of several processes that train a model. A launcher runs `codepref.training.worker FOLDER`."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from pathlib import Path

from codepref.storage.files import write_json
from codepref.training.job import TrainingJob
from codepref.training.launch import ERRORS, JOB, PROGRESS, report_error
from codepref.training.methods import load_method
from codepref.training.processes import is_first, own_end, rank


def work(folder: Path) -> None:
    """Train this process's share of the job in `folder`.

    An error of ERRORS is written to a file, and the process ends with status 1. The first process also writes the
    progress of the training to a file.
    """
    job: TrainingJob
    job, data = pickle.loads((folder / JOB).read_bytes())

    def progress(done: int, total: int) -> None:
        write_json(folder / PROGRESS, [done, total])

    try:
        load_method(job.settings.method).train(replace(job, progress=progress if is_first() else None), data)
    except tuple(ERRORS.values()) as error:
        report_error(folder, rank(), error)
        raise SystemExit(1) from error


if __name__ == "__main__":
    with own_end():
        work(Path(sys.argv[1]))
