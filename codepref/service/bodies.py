"""The bodies of requests and answers, as pydantic models. The page /docs of the service shows them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sized
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field, field_validator, model_validator

MAX_FILES = 100
"""The largest number of files that a request may send to a run, and of files that it may ask back."""

MAX_PATH = 200
"""The largest number of characters in the path of a file."""

MAX_NAME_BYTES = 255
"""The largest number of bytes in the name of a file or a folder. Linux allows no more."""

MAX_ITEMS = 10_000
"""The largest number of requests to judge in one list."""

MAX_NAMED = 10
"""The largest number of unknown fields that an error names."""


class StrictBody(BaseModel):
    """A body that may have no unknown fields.

    One error names up to MAX_NAMED of them. pydantic would report each of them, and a body can hold a million.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, data: Any) -> Any:
        unknown = data.keys() - cls.model_fields.keys() if isinstance(data, dict) else ()
        if unknown:
            raise ValueError(f"there is no field {', '.join(repr(name[:50]) for name in sorted(unknown)[:MAX_NAMED])}")
        return data


class LimitsBody(StrictBody):
    """Limits of one solution. `codepref.execution.limits.Limits` describes them.

    A limit that is left out has the server's value. Only wall_seconds, load_cpu_seconds and timeout_factor may be null.
    """

    cpu_seconds: float | None = Field(default=None, description="CPU time of a test, in seconds")
    wall_seconds: float | None = Field(default=None, description="wall-clock time of a test, in seconds")
    load_cpu_seconds: float | None = Field(default=None, description="CPU time of loading the solution, in seconds")
    memory_mb: int | None = Field(default=None, description="memory of a solution's process, in MiB")
    max_timeouts: int | None = Field(default=None, description="timeouts after which other tests get less time")
    reference_cpu_seconds: float | None = Field(
        default=None, description="CPU time of a reference solution, in seconds"
    )
    timeout_factor: float | None = Field(
        default=None,
        description="a test may take this many times the CPU time of the slowest right solution; null: no such limit",
    )


class JudgeItem(StrictBody):
    """Solutions of one problem to judge."""

    problem: dict[str, Any] = Field(
        description="a row in codepref's own format",
        examples=[{"task_id": "add", "prompt": "Add one.", "entry_point": "f", "tests": ["assert f(1) == 2"]}],
    )
    # An error ends the reading of a list. A body can hold millions of wrong items, and each error takes a kilobyte.
    solutions: Annotated[list[str], FailFast()] = Field(
        min_length=1, description="whole programs", examples=[["def f(x):\n    return x + 1"]]
    )
    tests: list[Any] | None = Field(default=None, description="tests in place of the problem's own")
    limits: LimitsBody = LimitsBody()
    vacuous_tests: Literal["leave-out", "keep"] | None = Field(
        default=None,
        description="what to do with tests that a program passes although it does nothing; null: the server's value",
    )
    exact: bool = Field(
        default=False,
        description="the problem holds the fields of codepref's record, as codepref's own client sends them",
    )


class FirstMistake(FailFast):
    """An annotation of a list: the first wrong item ends the reading. It has a hash, as a type in a union must."""

    __hash__ = object.__hash__


def _check_items(items: Any) -> Any:
    if isinstance(items, list) and len(items) > MAX_ITEMS:
        raise ValueError(f"at most {MAX_ITEMS:,} requests are allowed in a list, not {len(items):,}")
    return items


JudgeItems = Annotated[list[JudgeItem], FirstMistake(), BeforeValidator(_check_items)]
"""A list of requests to judge."""


class VerdictBody(BaseModel):
    """The verdict of one solution."""

    codes: str = Field(description="one verdict code for each test; docs/reference/verdicts.md lists the codes")
    correct: bool | None = Field(description="null if it is not known")
    isolation: Literal["separate", "shared"]
    cpu_ms: float
    detail: str = Field(description="the first failure or another reason in words, or an empty text")


class JudgeAnswer(BaseModel):
    """The verdicts of the solutions, in their order."""

    task_id: str
    tests: list[str] = Field(description="the ids of the tests that the codes stand for")
    left_out: list[str] = Field(description="the ids of tests that were left out, since they prove nothing")
    verdicts: list[VerdictBody]


class RunCodeBody(BaseModel):
    """A program to run, in the form of SandboxFusion. Other fields are ignored."""

    code: str
    language: str = Field(examples=["python"], description="only python")
    stdin: str | None = None
    run_timeout: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="CPU time, in seconds; at most the server's maximum"
    )
    compile_timeout: float = Field(default=10.0, description="not used, since Python needs no compilation")
    memory_limit_MB: int = Field(
        default=-1, description="memory in MiB; 0 or less: the server's value; at most the server's maximum"
    )
    files: dict[str, str | None] = Field(default={}, description="relative path -> content in Base64")
    fetch_files: Annotated[list[str], FailFast()] = Field(
        default=[], description="relative paths of files to send back"
    )

    @field_validator("stdin")
    @classmethod
    def _check_stdin(cls, stdin: str | None) -> str | None:
        if stdin is not None and not _is_utf8(stdin):
            raise ValueError("it holds half a character (a lone surrogate), which UTF-8 cannot encode")
        return stdin

    @field_validator("files", mode="before")
    @classmethod
    def _count_files(cls, files: Any) -> Any:
        """Check the number before the items, since a body can hold a million."""
        if isinstance(files, dict):
            _check_number(files)
        return files

    @field_validator("files")
    @classmethod
    def _check_files(cls, files: dict[str, str | None]) -> dict[str, str | None]:
        _check_paths(list(files))
        _check_folders([path for path, content in files.items() if content is not None])
        for path, content in files.items():
            try:
                base64.b64decode(content or "", validate=True)
            except (binascii.Error, ValueError):
                raise ValueError(f"the content of {path[:MAX_PATH]!r} is not Base64") from None
        return files

    @field_validator("fetch_files")
    @classmethod
    def _check_fetch_files(cls, paths: list[str]) -> list[str]:
        _check_paths(paths)
        return paths


def _check_paths(paths: list[str]) -> None:
    """Raise ValueError for more than MAX_FILES paths, or if one cannot name a file below the folder of the program."""
    _check_number(paths)
    for path in paths:
        if not _is_inside(path):
            raise ValueError(
                f"{path[:MAX_PATH]!r} cannot be the path of a file here. A path must be relative, name a file, hold no "
                f'".." and no null character, and have at most {MAX_PATH} characters'
            )
        if not _is_utf8(path) or max(len(part.encode()) for part in path.split("/")) > MAX_NAME_BYTES:
            raise ValueError(f"the path {path!r} holds a name that no file can have")


def _check_folders(paths: list[str]) -> None:
    """Raise ValueError if a path ends in "/" or "/.", is the folder of another path, or names another path's file."""
    files = {PurePosixPath(path) for path in paths}
    folders = {folder for file in files for folder in file.parents}
    if len(files) < len(paths) or files & folders or any(path.endswith(("/", "/.")) for path in paths):
        raise ValueError("each path must name a file of its own, and none may be a folder")


def _check_number(files: Sized) -> None:
    if len(files) > MAX_FILES:
        raise ValueError(f"at most {MAX_FILES} files are allowed, not {len(files)}")


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and len(path) <= MAX_PATH and "\0" not in path and ".." not in parts and path[0] != "/"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class CommandResult(BaseModel):
    """How a program ended, in the form of SandboxFusion."""

    status: Literal["Finished", "Error", "TimeLimitExceeded"]
    execution_time: float | None = Field(default=None, description="CPU time, in seconds")
    return_code: int | None = None
    stdout: str | None = Field(default=None, description="at most 1 MiB")
    stderr: str | None = Field(default=None, description="at most 1 MiB")


class RunCodeAnswer(BaseModel):
    """The result of a run, in the form of SandboxFusion."""

    status: Literal["Success", "Failed", "SandboxError"]
    message: str = ""
    compile_result: CommandResult | None = None
    run_result: CommandResult | None = None
    executor_pod_name: str | None = None
    files: dict[str, str] = Field(default={}, description="path -> content in Base64")


class RefusedBody(BaseModel):
    """The reason why a request was refused."""

    detail: str
