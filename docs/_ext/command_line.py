"""``{command-line}``: a page of every verb's help, as click gives it while the page is built."""

from __future__ import annotations

from importlib import import_module

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from harness.cli import VERBS, main, repeat

WIDTH = 88


class CommandLine(SphinxDirective):
    """The help of ``harness`` and, under a heading each, of its verbs."""

    def run(self) -> list[nodes.Node]:
        """Make the page's nodes."""
        text = "# The command line\n\n" + _help("harness", main)
        for verb in VERBS:
            command = import_module(f"harness.cli.{verb}").verb
            text += f"## harness {verb}\n\n" + _help(f"harness {verb}", command)
            if verb == "load":
                text += "## harness load URL\n\n" + _help("harness load URL", repeat.verb)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def _help(name: str, command: click.Command) -> str:
    context = click.Context(
        command, info_name=name, terminal_width=WIDTH, help_option_names=["-h", "--help"]
    )
    return f"```text\n{command.get_help(context)}\n```\n\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True}
