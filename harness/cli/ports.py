"""``--port NAME=PORT``: where what is started listens, in place of a free port."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import click

from harness.errors import UsageError, nearest

port_option = click.option(
    "--port", "ports", multiple=True, metavar="NAME=PORT", help="A fixed port; again."
)


def fixed_ports(texts: Iterable[str], names: list[str]) -> dict[str, int]:
    """Read the ports that were asked for. Raises UsageError for one that is taken."""
    fixed: dict[str, int] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in names:
            raise UsageError(
                "target/port",
                f"there is no service or stand-in {name!r} to start",
                where=f"--port {text}",
                next_step=nearest(name, names),
            )
        if not number.isdecimal() or not 0 < int(number) < 65536:
            raise _refused_port(text, f"cannot read the port {number!r}", "give a number to 65535")
        if int(number) in fixed.values():
            raise _refused_port(text, "the port is asked for twice", "give each a port of its own")
        fixed[name] = int(number)
        _refuse_taken(text, fixed[name])
    return fixed


def _refuse_taken(text: str, port: int) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError as error:
            step = f"stop what listens there (lsof -i :{port}), or name another port"
            raise _refused_port(
                text, f"the port {port} cannot be used: {error.strerror}", step
            ) from None


def _refused_port(text: str, told: str, next_step: str) -> UsageError:
    return UsageError("target/port", told, where=f"--port {text}", next_step=next_step)
