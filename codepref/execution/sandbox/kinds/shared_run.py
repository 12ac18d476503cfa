"""The module in which a solution and the tests that share its process run."""

from __future__ import annotations

import builtins
import contextlib
import linecache
import sys
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .libraries import resolved
from .scope import register

if TYPE_CHECKING:
    from .base import PreparedTest

NAME = "solution"
_STREAMS = ("stdin", "stdout", "stderr")


class Room:
    """One module for the solution, the helpers and the tests, as in a single program.

    space: the namespace of a module that a kind of test has made for this, or None for a new module.
    modules: further names by which tests import the solution.
    """

    def __init__(self, space: dict[str, Any] | None, modules: set[str]) -> None:
        if space is None:
            module = sys.modules["__main__"] = types.ModuleType(NAME)  # `doctest` and mocks look for `__main__`
        else:
            module = sys.modules[space["__name__"]]
        self.space = module.__dict__
        self.space.setdefault("__builtins__", builtins)
        self.space["__file__"] = f"<{NAME}>"
        register(module, {NAME, *modules})

    def load(self, preamble: str, source: str, helpers: str) -> None:
        """Run the preamble, the solution and then the helpers. Raises what compiling and running them raises.

        The sources can be found by `inspect.getsource`.
        """
        for name, text in (("preamble", preamble), (NAME, source), ("helpers", helpers)):
            file = f"<{name}>"
            linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
            exec(compile(text, file, "exec", dont_inherit=True), self.space)

    @contextlib.contextmanager
    def test(self, test: PreparedTest) -> Iterator[None]:
        """Return a context in which one test runs.

        At its start, names of libraries that the test uses and that neither the solution nor the helpers bind are
        added. At its end, the names that the test binds in the module get their former values or are removed. Builtins
        and standard streams that the test replaced are put back too. Objects that it changed in place stay changed.
        """
        analysis = test.analysis
        names = analysis.binds if analysis is not None else ()
        before = {name: self.space[name] for name in names if name in self.space}
        outside, streams = dict(vars(builtins)), {name: getattr(sys, name) for name in _STREAMS}
        for name, path in (analysis.libraries if analysis is not None else {}).items():
            if name not in self.space:
                with contextlib.suppress(ImportError, AttributeError):
                    self.space[name] = resolved(path)
        try:
            yield
        finally:
            for name in names:
                self.space.pop(name, None)
            self.space.update(before)
            vars(builtins).update(outside)
            for name, stream in streams.items():
                setattr(sys, name, stream)
