"""Parks modules: a zygote loads them, and its children cannot see them before they import one of them.

If a zygote only loaded a submodule, the submodule would be an attribute of its package in every child. A program that
forgets the import would then run here, although it fails in plain Python. So the zygote takes the submodules out of
`sys.modules` and out of their packages. When a program imports one of them, a finder puts all of them back.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from collections.abc import Sequence


class ParkedModules:
    """A finder and loader of the modules that one import has loaded.

    An import of one of the modules puts all of them back, since each may hold objects of the others. The class has no
    base in `importlib.abc`, since an import of `importlib.abc` can also load `random`, which takes a new seed after
    each fork.

    modules: the modules by name. They are taken out of `sys.modules`.
    """

    def __init__(self, modules: dict[str, types.ModuleType]) -> None:
        self._modules = modules
        self._attributes: list[tuple[types.ModuleType, str, types.ModuleType]] = []
        for name, module in modules.items():
            parent, _, child = name.rpartition(".")
            package = sys.modules.get(parent)
            if package is not None and parent not in modules and getattr(package, child, None) is module:
                delattr(package, child)
                self._attributes.append((package, child, module))
        self._specs = {name: module.__spec__ for name, module in modules.items()}
        for name in modules:
            del sys.modules[name]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for a parked module, and None for every other module."""
        if fullname not in self._modules:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)  # type: ignore[arg-type]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Return the module that is imported, and put all other parked modules back."""
        for package, child, module in self._attributes:
            setattr(package, child, module)
        sys.modules.update((name, module) for name, module in self._modules.items() if name != spec.name)
        sys.meta_path.remove(self)
        return self._modules[spec.name]

    def exec_module(self, module: types.ModuleType) -> None:
        """Restore the spec of the module, which the import has replaced. The module's code ran before it was parked."""
        module.__spec__ = self._specs[module.__name__]


def park(name: str) -> None:
    """Import the submodule `name`, and park the modules of its top-level package that this import loads.

    Do nothing if the submodule is loaded already. Raises what the import raises.
    """
    if name in sys.modules:
        return
    package, before = name.partition(".")[0], set(sys.modules)
    importlib.import_module(name)
    loaded = {
        other: module
        for other, module in sys.modules.items()
        if other not in before and other.startswith(f"{package}.")
    }
    if loaded:
        sys.meta_path.insert(0, ParkedModules(loaded))
