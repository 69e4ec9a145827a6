"""Importing an application, and saying exactly why it could not be imported."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from harness.errors import TargetError, UsageError, nearest
from harness.target import AppPath
from harness.targets import Asgi


def load_app(path: AppPath, root: Path) -> Asgi:
    """Import the application at `path`, with `root` on the module search path.

    Raises UsageError for a path that names nothing or something that is not ASGI, and
    TargetError where the module or the factory raises.
    """
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        found = _attribute(_module(path), path)
        if path.is_factory:
            found = _called(found, path)
    except TargetError as error:
        error.where = _below(root, error.where)
        raise
    _refuse_what_is_not_asgi(found, path)
    return cast(Asgi, found)


def _module(path: AppPath) -> ModuleType:
    try:
        return importlib.import_module(path.module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if path.module == missing or path.module.startswith(f"{missing}."):
            raise UsageError(
                "target/no-module",
                f"there is no module {missing!r}",
                where=str(path),
                next_step="check the import string, and that you are in the project's root",
            ) from None
        raise _raised("import", path, error) from error
    except (Exception, SystemExit) as error:
        raise _raised("import", path, error) from error


def _attribute(module: ModuleType, path: AppPath) -> Any:
    found: Any = module
    for name in path.attribute.split("."):
        if not hasattr(found, name):
            public = [n for n in vars(found) if not n.startswith("_")]
            raise UsageError(
                "target/no-attribute",
                f"{path.module} has no {path.attribute!r}",
                where=str(path),
                next_step=nearest(name, public),
            )
        found = getattr(found, name)
    return found


def _called(factory: Any, path: AppPath) -> Any:
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise _raised("factory", path, error) from error


def _raised(what: str, path: AppPath, error: BaseException) -> TargetError:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    own = [f for f in frames if f.filename != __file__]
    where = f"{own[-1].filename}:{own[-1].lineno}" if own else str(path)
    said = "".join(traceback.format_exception_only(error)).strip()
    return TargetError(
        f"target/{what}-failed",
        f"the {what} of {path} raised {said}",
        where=where,
        next_step="mend it, or set what it needs in the plan: [services.NAME] env = { … }",
    )


def _below(root: Path, where: str) -> str:
    return where.removeprefix(f"{root}/")


def _refuse_what_is_not_asgi(found: Any, path: AppPath) -> None:
    wanted = _positional(found)
    if wanted == 3 or wanted is None:
        return
    if not callable(found):
        why = f"it is of type {type(found).__name__}"
    elif wanted == 2:
        why = "it looks like WSGI, which takes (environ, start_response)"
    elif wanted == 0:
        why = f"it takes no arguments; if it makes the application, write '{path}()'"
    else:
        why = "it does not take (scope, receive, send)"
    raise UsageError(
        "target/not-asgi", f"{path} is not an ASGI application: {why}", where=str(path)
    )


def _positional(found: Any) -> int | None:
    """Return how many positional arguments a callable needs; None where that cannot be told."""
    if not callable(found):
        return -1
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in parameters)
