"""Landlock layers of a process, by plain system calls.

The launcher confines the whole worker with the package sandlock. Processes of the worker add layers of their own. A
layer can only take rights away. If these processes imported sandlock, every fork would be slower, so this module calls
the kernel itself.

Source of the numbers: Linux uapi, linux/landlock.h. The three system calls have the same numbers on x86-64 and aarch64.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12
_MAKE_SPECIAL = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_ABI_OF_REFER, _ABI_OF_TRUNCATE = 2, 3

_FILE = _WRITE_FILE | _READ_FILE | _TRUNCATE
_READ = _READ_FILE | _READ_DIR
_KEEP = _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER


class Landlock:
    """The layers for the processes of one worker.

    readable: the files and folders that solutions and tests may read. Paths that do not exist are left out.
    Raises OSError where the kernel has no Landlock.
    """

    def __init__(self, readable: Iterable[str]) -> None:
        self._readable = [path for path in readable if os.path.exists(path)]  # noqa: PTH110
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        version = self._checked(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
        unknown = (_REFER if version < _ABI_OF_REFER else 0) | (_TRUNCATE if version < _ABI_OF_TRUNCATE else 0)
        self._known = ~unknown

    def read_only_except(self, folder: str) -> None:
        """Let this process and its children read only `readable` and `folder`, and write only below `folder`.

        Only files, folders and symbolic links can be made there, no pipes, sockets or devices. /dev/null stays usable.
        Afterwards /proc cannot be read, unless `readable` contains it.
        """
        rules = [(path, _READ) for path in self._readable]
        self._restrict(_READ | _KEEP | _MAKE_SPECIAL, [*rules, (folder, _READ | _KEEP), ("/dev/null", _FILE)])

    def _restrict(self, handled: int, rules: list[tuple[str, int]]) -> None:
        handled &= self._known
        ruleset = self._checked(_CREATE_RULESET, struct.pack("=Q", handled), ctypes.c_size_t(8), 0)
        try:
            for path, rights in rules:
                descriptor = os.open(path, os.O_PATH)
                try:
                    allowed = rights & handled
                    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                        allowed &= _FILE
                    self._checked(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, descriptor), 0)
                finally:
                    os.close(descriptor)
            self._checked(_RESTRICT_SELF, ruleset, 0)
        finally:
            os.close(ruleset)

    def _checked(self, number: int, *arguments: object) -> int:
        result = int(self._syscall(number, *arguments))
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"a system call of Landlock failed: {os.strerror(code)}")
        return result
