"""`codepref.sample` asks a model for solutions or tests of problems."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.api.inputs import Problems, Progress, default_template, load_problems, on_server
from codepref.api.launched import on_launched
from codepref.storage.files import check_target

if TYPE_CHECKING:
    from codepref.config.engine import EngineSection
    from codepref.config.scale import ScaleSection
    from codepref.config.served import ModelServer
    from codepref.sampling.engines import Engine


def sample(
    problems: Problems,
    model: str | Engine,
    *,
    kind: str = "solutions",
    n: int = 10,
    temperature: float = 0.8,
    top_p: float = 0.95,
    max_new_tokens: int = 512,
    template: str | None = None,
    batch_size: int = 128,
    seed: int = 0,
    out: str | Path | None = None,
    dtype: str = "auto",
    device: str = "auto",
    strict: bool = False,
    progress: Progress | None = None,
    base_url: str | Sequence[str] = (),
    server: ModelServer | None = None,
    engine: EngineSection | None = None,
    log: Callable[[str], None] = lambda text: None,
    scale: ScaleSection | None = None,
) -> list[dict[str, Any]]:
    """Ask a model for `n` answers to each problem, and return one row for each answer.

    kind: what the answers hold, "solutions" or "tests". strict: refuse a source of problems with a bad row, which is
    left out by default. base_url: the address of an OpenAI-compatible server of the model, or several addresses.
    `model` is then the server's name for the model, unless `server` has a `served_name`. server: settings of the calls.
    Its `base_url` is used if `base_url` is empty. engine: the section [engine] of a recipe, for a server that codepref
    starts for the model and stops. scale: the processes that answer, on this machine or on a Ray cluster. None means
    this process. `scale` has no effect if a server answers or `model` is an Engine.
    template: the user message. None takes the template in the model's folder, if there is one, and else codepref's own.
    log: called with messages for the user. See `codepref.sampling.sample.sample` for the other arguments, the rows and
    the errors.
    """
    from codepref.sampling.engines import Decoding
    from codepref.sampling.sample import sample as work

    target = Path(out) if out else None
    with _answering(model, base_url, server, engine, target, log, dtype) as (chosen, answering):
        return work(
            load_problems(problems, strict=strict),
            answering,
            kind=kind,
            n=n,
            decoding=Decoding(temperature, top_p, max_new_tokens),
            template=default_template(template, chosen, kind),
            seed=seed,
            batch_size=batch_size,
            out=target,
            dtype=dtype,
            device=device,
            progress=progress,
            scale=scale,
            log=log,
        )


def sample_to_file(
    problems: Problems,
    model: str | Engine,
    out: str | Path,
    *,
    kind: str = "solutions",
    n: int = 10,
    temperature: float = 0.8,
    top_p: float = 0.95,
    max_new_tokens: int = 512,
    template: str | None = None,
    batch_size: int = 128,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
    strict: bool = False,
    progress: Progress | None = None,
    base_url: str | Sequence[str] = (),
    server: ModelServer | None = None,
    engine: EngineSection | None = None,
    log: Callable[[str], None] = lambda text: None,
    scale: ScaleSection | None = None,
) -> None:
    """Write the rows that `sample` returns to the file `out`, without keeping them in memory.

    The arguments and the errors are those of `sample`.
    """
    from codepref.sampling.engines import Decoding
    from codepref.sampling.sample import sample_to_file as work

    with _answering(model, base_url, server, engine, Path(out), log, dtype) as (chosen, answering):
        work(
            load_problems(problems, strict=strict),
            answering,
            Path(out),
            kind=kind,
            n=n,
            decoding=Decoding(temperature, top_p, max_new_tokens),
            template=default_template(template, chosen, kind),
            seed=seed,
            batch_size=batch_size,
            dtype=dtype,
            device=device,
            progress=progress,
            scale=scale,
            log=log,
        )


@contextlib.contextmanager
def _answering(
    model: str | Engine,
    base_url: str | Sequence[str],
    server: ModelServer | None,
    engine: EngineSection | None,
    out: Path | None,
    log: Callable[[str], None],
    dtype: str,
) -> Iterator[tuple[str | Engine, str | Engine]]:
    """Yield the model whose prompt template is used, and the model that answers.

    A server that codepref started for the model is stopped after the block. Raises UserError if `out` cannot be a file.
    """
    if out:
        check_target(out)
    chosen = on_server(model, base_url, server, log)
    folder = out.with_name(f"{out.name}.server") if out else None
    with on_launched(chosen, engine, calls=server, folder=folder, log=log, dtype=dtype) as answering:
        yield chosen, answering
