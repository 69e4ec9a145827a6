"""What each slug means: the sections of ``docs/messages.md``, which the package carries."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path


def sections() -> dict[str, str]:
    """Return the text of each slug's section."""
    found = re.split(r"^### (\S+)\n|^## .*\n", _page(), flags=re.M)[1:]
    pairs = zip(found[::2], found[1::2], strict=True)
    return {name: text.strip() for name, text in pairs if name}


def section_of(slug: str) -> str:
    """Return the heading under which a slug is explained: all of Bandit's rules share one."""
    return re.sub(r"\Asecurity/B\d+\Z", "security/B…", slug)


def _page() -> str:
    """Return the page as the package has it or, in a checkout, as the documentation does."""
    packaged = resources.files("harness") / "messages.md"
    checkout = Path(__file__).parents[1] / "docs" / "messages.md"
    return (packaged if packaged.is_file() else checkout).read_text(encoding="utf-8")
