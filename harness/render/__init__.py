"""Reports: each module here turns a record into one file's text, and is a `Renderer`.

    text      the summary on a terminal       figures   numbers as words, never across a limit
    html      the page that decides           plain     hostile text made harmless to look at
    svg       its charts                      outline   what every report says of a record
    repeated  one request's figures, for text
    junit     tests and limits as XML         entry     what reports with an entry a finding share
    sarif     findings for code scanning      markdown  the summary of a job
    github    lines that annotate a change    badge     the verdict and its day

A report is a function of the record alone: it can be drawn again from a saved one.
"""

from __future__ import annotations

from typing import Protocol

from harness.record import Record


class Renderer(Protocol):
    """A kind of report. A module with these two names is one.

    >>> from harness.render import html
    >>> renderer: Renderer = html
    >>> renderer.FILE_NAME
    'report.html'
    """

    @property
    def FILE_NAME(self) -> str:  # noqa: N802 - modules spell a constant so
        """What the report is called in its run folder."""

    def render(self, record: Record) -> str:
        """Draw `record`. The text can always be written as UTF-8."""
