"""Importing an application, and saying exactly why it could not be imported."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, cast

from quart import Quart

from harness.errors import TargetError, UsageError, nearest
from harness.target import AppPath
from harness.targets import Asgi
from harness.targets.hang import Limits, Stack, interrupted, own_line, server


def load_app(path: AppPath, limits: Limits) -> Asgi:
    """Import the application at `path`, with the limits' root on the module search path.

    Call it where no event loop runs, as servers do: modules may use one while they are imported.
    Raises UsageError for a path that names nothing, another module than the project's or
    something that is not ASGI, and TargetError where the module or the factory raises or hangs.
    """
    if str(limits.root) not in sys.path:
        sys.path.insert(0, str(limits.root))

    def hung(stacks: list[Stack]) -> TargetError:
        error = limits.hung(f"the import of {path}", stacks, str(path))
        if serving := server(stacks):
            error.message += f": it serves, by {serving}, and would never end"
            error.next_step = "put what serves below 'if __name__ == \"__main__\":'"
        return error

    with _serving_refused(), interrupted(limits.start_s, _found.__code__, hung):
        found = _found(path, limits.root)
    _refuse_what_is_not_asgi(found, path)
    return cast(Asgi, found)


def _found(path: AppPath, root: Path) -> Any:
    found = _attribute(_module(path, root), path)
    return _called(found, path, root) if path.is_factory else found


def loaded_app(path: AppPath) -> object | None:
    """Return the instance that `path` names, where its module was imported; of a factory, None."""
    found: object = sys.modules.get(path.module)
    for name in path.attribute.split("."):
        found = getattr(found, name, None)
    return None if path.is_factory else found


@contextlib.contextmanager
def _serving_refused() -> Iterator[None]:
    """Let ``app.run()`` raise: where an import reaches it, the import would never end."""

    def run(app: Quart, *arguments: object, **options: object) -> NoReturn:
        raise RuntimeError(
            "app.run() was called during the import, and would not return: "
            "put it below 'if __name__ == \"__main__\":'"
        )

    served = Quart.run
    Quart.run = run  # type: ignore[assignment, method-assign]  # for as long as the import takes
    try:
        yield
    finally:
        Quart.run = served  # type: ignore[method-assign]  # as it was


def _module(path: AppPath, root: Path) -> ModuleType:
    try:
        module = importlib.import_module(path.module)
        _refuse_another(path, root)
        return module
    except UsageError:
        raise
    except ModuleNotFoundError as error:
        _refuse_another(path, root)
        missing = error.name or ""
        if path.module == missing or path.module.startswith(f"{missing}."):
            raise UsageError(
                "target/no-module",
                f"there is no module {missing!r}",
                where=str(path),
                next_step=_where_it_may_be(path.module, root),
            ) from None
        raise _raised("import", path, error, root) from error
    except (Exception, SystemExit) as error:
        raise _raised("import", path, error, root) from error


def _refuse_another(path: AppPath, root: Path) -> None:
    """Raise UsageError where the project has the module, and its name means another one's file.

    So it is where the name is also one of Python's own, or of a module that was imported before.
    """
    names = path.module.split(".")
    for last in range(1, len(names) + 1):
        imported = sys.modules.get(".".join(names[:last]))
        own = _file_of(root.joinpath(*names[:last]))
        if imported is None or own is None:
            continue
        found = getattr(imported, "__file__", None)
        if not found or not Path(found).exists() or not own.samefile(found):
            raise UsageError(
                "target/other-module",
                f"{imported.__name__!r} is {found or 'built into Python'}, which was imported "
                f"before or is found first, and not {own.relative_to(root)}",
                where=str(path),
                next_step="give the project's module a name of its own, or put it into a package",
            )


def _file_of(module: Path) -> Path | None:
    files = (module / "__init__.py", module.with_name(f"{module.name}.py"))
    return next((file for file in files if file.is_file()), None)


def _where_it_may_be(module: str, root: Path) -> str:
    name = module.partition(".")[0]
    if (root / "src" / name).is_dir() or (root / "src" / f"{name}.py").is_file():
        return f"{name} is in src/: install the project (pip install -e .), or set PYTHONPATH=src"
    return "check the import string, and that you are in the project's root"


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


def _called(factory: Any, path: AppPath, root: Path) -> Any:
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise _raised("factory", path, error, root) from error


def _raised(what: str, path: AppPath, error: BaseException, root: Path) -> TargetError:
    said = "".join(traceback.format_exception_only(error)).strip()
    return TargetError(
        f"target/{what}-failed",
        f"the {what} of {path} raised {said}",
        where=_place(error, root) or str(path),
        next_step="mend it, or set what it needs in the plan: [services.NAME] env = { … }",
    )


def _place(error: BaseException, root: Path) -> str:
    """Return the line that raised: the project's own where it took part."""
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno))
    outside = [f for f in frames if f[0] != __file__ and not f[0].startswith("<frozen ")]
    name, number = (outside or [("", None)])[-1]
    return own_line(outside, root) or (f"{name}:{number}" if number else name)


def _refuse_what_is_not_asgi(found: Any, path: AppPath) -> None:
    if inspect.iscoroutine(found):
        found.close()
        raise UsageError(
            "target/not-asgi",
            f"{path} is not an ASGI application: its factory is async, and gives a coroutine",
            where=str(path),
            next_step="write a plain function, and let what must be awaited be done at start-up",
        )
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
