"""Reads columns that are packed as LiveCodeBench packs its private tests: base64, zlib, and a pickle of JSON text.

No code of a data set runs: a pickle that names a class or a function is refused.
"""

from __future__ import annotations

import base64
import io
import pickle
import struct
import zlib
from typing import Any

from codepref.errors import UserError
from codepref.problems.columns import decoded

MAX_UNPACKED = 1 << 29
"""The largest size of a packed column after decompression, in bytes (512 MiB)."""

_UNPICKLING_ERRORS = (
    pickle.UnpicklingError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


class _NoClasses(pickle._Unpickler):
    """Reads pickles of plain data. The Python form is used, since the C form allocates what a pickle asks for."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it holds a persistent id")

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError("it holds an extension code")


def unpacked(value: Any, name: str, where: str) -> Any:
    """Return the value of a column that may be packed as LiveCodeBench packs its tests: base64, zlib and a pickle.

    The pickle may hold JSON text or plain data. A pickle that names a class or a function is refused, and no code of it
    runs. `decoded` reads blank texts and texts that begin with `[`, `{` or a double quote, since they are not packed. A
    value that is no text is returned unchanged. Raises UserError for any other text that is not packed, for data that
    cannot be unpacked, and for data that unpacks to more than MAX_UNPACKED bytes. Raises what `decoded` raises.
    """
    if not isinstance(value, str) or value.lstrip()[:1] in ("[", "{", '"', ""):
        return decoded(value, name, where)
    try:
        data = base64.b64decode(value.encode(), validate=True)
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(data, MAX_UNPACKED)
    except (ValueError, zlib.error) as error:
        raise UserError(
            f"{where}: {name} must be a list, a struct, a JSON text that begins with [, {{ or a double quote, or "
            f"packed data (base64 and zlib). It cannot be unpacked: {error}"
        ) from None
    if not unpacker.eof:
        cause = f"it unpacks to more than {MAX_UNPACKED >> 20} MiB" if unpacker.unconsumed_tail else "it is cut off"
        raise UserError(f"{where}: {name} cannot be unpacked: {cause}")
    try:
        content = _NoClasses(io.BytesIO(data)).load()
    except _UNPICKLING_ERRORS as error:
        raise UserError(f"{where}: {name} cannot be unpacked: {str(error) or type(error).__name__}") from None
    if isinstance(content, bytes):
        content = content.decode("utf-8", "replace")
    return decoded(content, name, where)
