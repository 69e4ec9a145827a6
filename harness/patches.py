"""Attributes replaced for a while, and put back exactly as they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Patches:
    """What was replaced, undone in reverse. An attribute that was inherited is so again."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def replace(self, owner: Any, name: str, replacement: Any) -> None:
        """Put `replacement` in the place of an attribute of a module or class."""
        if name in vars(owner):
            original = vars(owner)[name]
            self._undo.append(lambda: setattr(owner, name, original))
        else:  # inherited: putting the original back would leave a copy behind
            self._undo.append(lambda: delattr(owner, name))
        setattr(owner, name, replacement)

    def undo(self) -> None:
        """Put everything back. Does nothing the second time."""
        while self._undo:
            self._undo.pop()()
