"""The section `[engine]` of a recipe: a server that codepref starts and stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codepref.config.fields import bounded


@dataclass(frozen=True)
class EngineSection:
    """A server that codepref starts for the model, uses and stops; see docs/how-to/launch-server.md."""

    preset: str = bounded(
        "", doc="vllm, sglang, llama.cpp or transformers; empty, with an empty `command`: codepref starts no server"
    )
    command: str = bounded(
        "", doc="command of another server, with {model} and {port}, such as `my-server {model} --port {port}`"
    )
    options: str = bounded("", doc="further options, which are appended to the command")
    python: str = bounded("", doc="folder or Python interpreter of the server's environment; empty: codepref's own")
    port: int = bounded(0, low=0, high=65535, doc="port on this machine; 0 takes a free one")
    wait_seconds: float = bounded(900.0, above=0.0, doc="seconds in which the server must be ready")
    stop_seconds: float = bounded(20.0, low=0.0, doc="seconds that the server has to end before it is killed")
    adapters: Literal["merge", "serve"] = bounded(
        "merge",
        doc="`merge`: merge a LoRA adapter into its base model before it is served; `serve`: let vLLM and SGLang serve "
        "base model and adapter without merging",
    )

    @property
    def launches(self) -> bool:
        """Whether the section names a server."""
        return bool(self.preset or self.command)
