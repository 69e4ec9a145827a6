"""Small trees of code, and what gates say of them."""

import pytest

from harness.inventory import python_files


@pytest.fixture
def tree(tmp_path):
    """Write files below a fresh root, by name and content, and return the root."""

    def make(contents, under="project"):
        root = tmp_path / under
        root.mkdir(exist_ok=True)
        for name, content in contents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return make


@pytest.fixture
def inspect():
    """Run a gate over everything below a root; return its account and its other facts."""

    def run(gate, root, paths=(".",)):
        first, *rest = gate.inspect(root, paths, python_files(root, paths))
        return first, rest

    return run


NOT_PARSED = {
    "syntax.py": "def broken(:\n",
    "newer.py": "class Box[T, **P, *Ts]: pass\ntype X = = 1\n",
    "nul.py": b"x = 1\0\n",
    "latin.py": b"x = 'caf\xe9'\n",
    "cookie.py": "# -*- coding: no-such-codec -*-\nx = 1\n",
    "deep.py": "x = " + "(" * 3000 + ")" * 3000 + "\n",
}
"""Files that no Python reads, one per reason."""


@pytest.fixture
def not_parsed():
    return NOT_PARSED
