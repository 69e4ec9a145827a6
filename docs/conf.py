"""The documentation site: ``sphinx-build -W docs OUT``. It needs no network."""

import sys
from pathlib import Path

from harness import __version__

sys.path[:0] = [str(Path(__file__).parent / "_ext")]

project = "quart-harness"
copyright = "the quart-harness authors"  # noqa: A001 - Sphinx's name for it
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "command_line", "openapi"]
nitpicky = True
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
# Names of other projects would need the network to lead anywhere. Ours must lead somewhere.
nitpick_ignore_regex = [("py:.*", r"(?!harness\.).*")]

html_theme = "furo"
html_title = f"quart-harness {version}"


def _without_signature(app, what, *_):
    """Leave out how a class is made: nobody who reads these pages makes one."""
    return ("", None) if what == "class" else None


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", _without_signature)
