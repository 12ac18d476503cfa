"""`codepref.sample` asks a model for solutions or tests of problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.api.inputs import Problems, Progress, default_template, load_problems, on_server

if TYPE_CHECKING:
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
    log: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """Ask a model for `n` answers to each problem, and return one row for each answer.

    kind: what the answers hold, "solutions" or "tests". strict: refuse a source of problems with a bad row, which
    is left out by default. base_url: the address of an OpenAI-compatible server of the model, or several. The model's
    name is then the server's name for it. server: settings of the calls; its `base_url` counts if `base_url` is empty.
    log: called with messages for the user. See `codepref.sampling.sample.sample` for the other arguments, the rows and the errors.
    """
    from codepref.sampling.engines import Decoding
    from codepref.sampling.sample import sample as work

    engine = on_server(model, base_url, server, log)
    return work(
        load_problems(problems, strict=strict),
        engine,
        kind=kind,
        n=n,
        decoding=Decoding(temperature, top_p, max_new_tokens),
        template=default_template(template, engine, kind),
        seed=seed,
        batch_size=batch_size,
        out=Path(out) if out else None,
        dtype=dtype,
        device=device,
        progress=progress,
    )
