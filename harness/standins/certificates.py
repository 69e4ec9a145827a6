"""Certificates for the hosts that stand-ins answer for, from an authority of this run.

They are made when a client is first led to one: most runs never call https, and making them takes
a library that is an extra.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from typing import Any


class Certificates:
    """Contexts for servers, and the authority that clients are to trust."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._is_made = False
        self._authority: Any = None

    def context_for(self, host: str) -> ssl.SSLContext:
        """Return a server's context, whose certificate it has once `authority` was asked."""
        with self._lock:
            if host not in self._contexts:
                context = self._contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.set_alpn_protocols(["http/1.1"])
                self._certify(host, context)
            return self._contexts[host]

    def authority(self) -> str:
        """Return the authority's certificate, in PEM; nothing where trustme is not installed."""
        with self._lock:
            if not self._is_made:
                self._is_made, self._authority = True, _authority()
                for host, context in self._contexts.items():
                    self._certify(host, context)
            return self._authority.cert_pem.bytes().decode() if self._authority else ""

    def _certify(self, host: str, context: ssl.SSLContext) -> None:
        """Give a context its certificate; a host that none can name, ``my_host``, stays without."""
        if self._authority:
            with contextlib.suppress(ValueError):
                self._authority.issue_cert(host).configure_cert(context)


def _authority() -> Any:
    try:
        import trustme
    except ImportError:
        return None
    return trustme.CA(organization_name="quart-harness, stand-ins of one run")
