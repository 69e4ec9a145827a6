"""Where a scenario's request goes: to the target, to an allowed host, or nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from yarl import URL

from harness.errors import UsageError
from harness.facts import Surprise
from harness.target import is_allowed
from harness.template import parsed

_PORTS = {"http": 80, "https": 443}
_SCHEMES = {"ws": "http", "wss": "https"}
_NUMBERED = re.compile(
    r"\d+|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?=.*\d)[0-9a-fA-F]{8,}"
)


class ForeignHostError(UsageError):
    """An address that is neither the target's, nor rebased, nor allowed. Nothing was sent."""

    def __init__(self, url: URL, where: str = "") -> None:
        super().__init__(
            "load/foreign-host",
            f"{url} is neither the target nor an allowed host; nothing was sent",
            where=where,
            next_step=f"--rebase {_shown_origin(url)} where it means the target, "
            f"--allow-host {url.host} where load may go there",
        )
        self.url = url


def outside_call(host: str, port: int | None, where: str) -> Surprise:
    """Take down a call that a Guard refused, or that a redirect asked for."""
    address = f"{host}:{port}" if port else host
    return Surprise(
        slug="load/outside-call",
        message=f"a call to {address}, outside loopback and not allowed, was refused",
        where=where,
    )


class Addresses:
    """What the addresses in scenarios mean, for one target.

    A relative URL is one of the target's, below the target's own path. An absolute URL whose
    origin is in `rebase` means the target, too; any other must be at an allowed host. `steps` are
    templates of routes; the first that matches a path names it.
    """

    def __init__(
        self, target: str, *, rebase: Iterable[str] = (), allow_hosts: Iterable[str] = (),
        steps: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self._target = URL(target.rstrip("/"))
        self._prefix = self._target.raw_path.rstrip("/")
        self._rebase = {_origin(URL(origin)) for origin in rebase}
        self._allow_hosts = tuple(allow_hosts)
        self._templates = parsed(steps)

    def resolve(self, url: URL) -> URL:
        """Return where a request for `url` goes. Raises ForeignHostError."""
        if not url.scheme and not url.host:
            return self._below_target(url, f"/{url.raw_path.lstrip('/')}")
        if not url.host:
            return url  # the client will say what is wrong with it
        origin = _origin(url)
        if origin == _origin(self._target):
            return url
        if origin in self._rebase:
            return self._below_target(url, url.raw_path)
        self.check(url)
        return url

    def rebased(self, url: URL) -> str:
        """Return the origin of `url` where the target is asked instead of it; else empty."""
        origin = _origin(url)
        is_other = url.host and origin in self._rebase and origin != _origin(self._target)
        return _shown_origin(url) if is_other else ""

    def hint(self, url: URL) -> str:
        """Say what may help where nothing answers at `url`; empty for the target itself."""
        if _origin(url) == _origin(self._target):
            return ""
        return f"if it means the target: --rebase {_shown_origin(url)}"

    def check(self, url: URL) -> None:
        """Raise ForeignHostError where a request may not go to the host of `url`."""
        if url.host and not is_allowed(url.host, self._allow_hosts):
            raise ForeignHostError(url)

    def step(self, method: str, url: URL) -> str:
        """Name a request: method and path, without what differs from one visit to the next.

        Where no template matches, what looks like a number or an identifier is left out.

        >>> Addresses("http://a").step("get", URL("http://a/things/17?full=1"))
        'GET /things/{}'
        """
        path = url.path
        if self._prefix and _origin(url) == _origin(self._target):
            path = path.removeprefix(self._prefix) or "/"
        method = method.upper()
        for template in self._templates:
            if template.matches(method, path):
                return f"{method} {template.path}"
        if not path.isprintable():  # a name is one line
            path = quote(path)
        segments = ("{}" if _NUMBERED.fullmatch(part) else part for part in path.split("/"))
        return f"{method} {'/'.join(segments)}"

    def _below_target(self, url: URL, path: str) -> URL:
        return URL.build(
            scheme=self._target.scheme, authority=self._target.raw_authority,
            path=self._prefix + path, query_string=url.raw_query_string,
            fragment=url.raw_fragment, encoded=True,
        )  # fmt: skip


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    scheme = _SCHEMES.get(url.scheme, url.scheme)
    return scheme, url.host, url.explicit_port or _PORTS.get(scheme)


def _shown_origin(url: URL) -> str:
    port = f":{url.explicit_port}" if url.explicit_port else ""
    return f"{_SCHEMES.get(url.scheme, url.scheme)}://{url.raw_host}{port}"
