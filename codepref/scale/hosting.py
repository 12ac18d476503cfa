"""What a host needs: opening its service, the command of a process, and errors in a form that can be sent."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any, cast

from codepref.errors import CodeprefError, InfrastructureError
from codepref.scale.records import Service, ServiceSpec
from codepref.scale.versions import PACKAGE


def load(name: str) -> Any:
    """Return the object with the name "module:attribute"."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def open_service(spec: ServiceSpec) -> Service:
    """Return a new service. Raises what its factory raises."""
    return cast(Service, load(spec.factory)(**spec.settings))


def own_command(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that runs a module of this copy of codepref in a new process, and its environment."""
    paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return [sys.executable, "-m", module, *arguments], {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def describe(error: Exception) -> CodeprefError:
    """Return an error of codepref as it is.

    Return any other error as an InfrastructureError whose text names its type and the line that raised it.
    """
    if isinstance(error, CodeprefError):
        return error
    place = traceback.extract_tb(error.__traceback__)[-1]
    return InfrastructureError(f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})")
