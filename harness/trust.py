"""Clients trust a run's authority where a stand-in answers in the place of a host.

Whatever a client's context trusts, and whenever it was made, the authority is added when the
context is about to be used for such a host. It stays there: its key lives as long as this run, in
memory. A client that pins a certificate, or brings its own TLS (pyOpenSSL), is not convinced.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable
from typing import Any

from harness.patches import Patches


def trust(authority: Callable[[], str], is_ours: Callable[[str], bool], patches: Patches) -> None:
    """Trust an authority, in PEM, for every host that is ours, until the patches are undone."""

    def trusting(wrap: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(wrap)
        def wrapped(context: ssl.SSLContext, *arguments: Any, **options: Any) -> Any:
            host = options.get("server_hostname")
            if isinstance(host, bytes):  # anyio's
                host = host.decode()
            if host and is_ours(host) and (trusted := authority()):
                context.load_verify_locations(cadata=trusted)
            return wrap(context, *arguments, **options)

        return wrapped

    for name in ("wrap_socket", "wrap_bio"):
        patches.replace(ssl.SSLContext, name, trusting(getattr(ssl.SSLContext, name)))
