"""A certificate authority for one run, with which services on loopback are served over https."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path
from types import TracebackType

from harness.errors import UsageError

_NAMES = ("127.0.0.1", "::1", "localhost")


class Authority:
    """A context manager: `certificate`, a file with its key, exists within, below `folder`.

    Whoever heeds `variables` trusts it beside whom it trusts otherwise: what is made of OpenSSL's
    defaults (ssl, aiohttp, httpx, urllib) and requests. aiohttp, which reads them when it is
    imported, is told in this process. Raises UsageError where trustme is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._files = tempfile.TemporaryDirectory(prefix="tls-", dir=folder)
        self.certificate = Path(self._files.name) / "certificate.pem"
        self._roots = Path(self._files.name) / "roots.pem"

    @property
    def variables(self) -> dict[str, str]:
        """What is to be set in this process and those that it starts."""
        return {"SSL_CERT_FILE": str(self._roots), "REQUESTS_CA_BUNDLE": str(self._roots)}

    def __enter__(self) -> Authority:
        try:
            import trustme
        except ImportError:
            self._files.cleanup()
            raise UsageError(
                "target/no-tls",
                "a service is to be served over https, and trustme is not installed",
                where="tls = true",
                next_step="pip install 'quart-harness[tls]'",
            ) from None
        import aiohttp.connector  # here: few plans serve https

        made = trustme.CA(organization_name="quart-harness, for one run")
        made.issue_cert(*_NAMES).private_key_and_cert_chain_pem.write_to_path(self.certificate)
        own = made.cert_pem.bytes()
        self._roots.write_bytes(b"\n".join([*(path.read_bytes() for path in _trusted()), own]))
        self._before = aiohttp.connector._SSL_CONTEXT_VERIFIED
        # There is no public way: every session without an `ssl` of its own has this one.
        trusting = ssl.create_default_context()
        trusting.load_verify_locations(self._roots)
        trusting.set_alpn_protocols(("http/1.1",))
        aiohttp.connector._SSL_CONTEXT_VERIFIED = trusting
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import aiohttp.connector

        aiohttp.connector._SSL_CONTEXT_VERIFIED = self._before
        self._files.cleanup()


def _trusted() -> list[Path]:
    """Return the files with the roots that are trusted without us."""
    import certifi  # comes with requests, whose own it is

    bundles = (
        ssl.get_default_verify_paths().cafile,
        os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE"),
    )
    found = [Path(bundle) for bundle in (*bundles, certifi.where()) if bundle]
    return [path for path in dict.fromkeys(found) if path.is_file()]
