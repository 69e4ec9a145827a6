"""``harness load URL``: one request, again and again, without a scenario file."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from harness.cli.request import (
    Number,
    allow_option,
    begin,
    finish,
    json_option,
    must_exist,
    plan_option,
    read_plan,
    reports_option,
)
from harness.demand import Load, load_of
from harness.errors import UsageError
from harness.objective import Family, parse_objective
from harness.pace import UNTIMED_S, Pace, Rate, Workers
from harness.plan import Plan
from harness.repeated import SCENARIO, Repeated
from harness.target import read_url, refuse_foreign

DEFAULT_TOTAL = 200
"""How many requests where nothing says how many, or for how long: enough for a p99."""

DEFAULT_CONNECTIONS = 10
DEFAULT_STATUSES = ("4xx == 0", "5xx == 0")
"""Objectives of an address, where none speaks of such answers."""

_LONGEST_DATA = 32_768  # it is handed on as an argument, of which a system has a longest
_DATA_TYPE = ("Content-Type", "application/x-www-form-urlencoded")
_ADDRESS = re.compile(r"(?P<origin>https?://[^/?#\s]*)(?P<rest>[^#\s]*)(#\S*)?\Z", re.IGNORECASE)
_SCHEMELESS = re.compile(r"(?P<host>[\w.-]*|\[[\da-fA-F:.]+\]):\d{1,5}(?P<rest>[/?]\S*)?\Z")
_HEADER = re.compile(r"(?P<name>[!#$%&'*+.^_`|~\w-]+):[ \t]*(?P<value>[^\x00-\x1f\x7f]*)\Z")
_METHOD = re.compile(r"[A-Za-z]+\Z")


def is_address(text: str) -> bool:
    """Tell whether an argument of ``harness load`` means an address, with its scheme or not."""
    if text == "URL" or re.match(r"https?://", text, re.IGNORECASE):  # URL: as help writes it
        return True
    return bool(_SCHEMELESS.match(text)) and not Path(text).exists()


@click.command()
@click.argument("url", metavar="")  # its name is the command's
@click.option("-n", "--total", type=click.IntRange(1), metavar="N", help="Requests in all.")
@click.option(
    "-c",
    "--connections",
    type=click.IntRange(1),
    metavar="C",
    help="Of one request at a time; default 10.",
)
@click.option(
    "--requests", type=click.IntRange(1), metavar="N", help="Requests a connection, instead of -n."
)
@click.option("-d", "--duration", type=Number(), metavar="S", help="Seconds, at most.")
@click.option(
    "--rate", type=Number(), metavar="R", help="Open pace: R requests a second, instead of -c."
)
@click.option("-p", "--processes", type=click.IntRange(1), default=1, help="Generator processes.")
@click.option("-m", "--method", metavar="METHOD", help="Default GET; with --data, POST.")
@click.option(
    "-H",
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="Send this, too; again.",
)
@click.option("-a", "--auth", metavar="USER:PASSWORD", help="Basic authentication.")
@click.option(
    "--data", metavar="TEXT|@FILE", help="The body, as it is; a form, unless -H says else."
)
@click.option(
    "-t",
    "--timeout",
    type=Number(),
    default=Fraction(20),
    metavar="S",
    help="For an answer; default 20.",
)
@click.option("-L", "--location", is_flag=True, help="Follow redirects; default: they are answers.")
@click.option("-k", "--insecure", is_flag=True, help="Take any certificate.")
@click.option("--objective", "objectives", multiple=True, metavar="TEXT", help="'p99 < 250ms'.")
@plan_option
@allow_option
@reports_option
@json_option
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict and nothing before it.")
def verb(
    url: str, plan_file: str | None, allow_hosts: tuple[str, ...], reports: str,
    json_file: str | None, quiet: bool, **options: Any,
) -> int:  # fmt: skip
    """Load one URL, without a scenario file: harness load URL -n 1000 -c 10.

    Without -n, --requests and -d: 200 requests. The first line says how many in all.
    """
    origin, url = _address(url)
    found, path = read_plan(plan_file, None, allow_hosts)
    plan = Plan(allow_hosts=found.allow_hosts)  # the rest of a plan is not about this URL
    refuse_foreign(origin, plan.allow_hosts)
    load = load_of_url(url, options)
    parts = (f"load-{load.name}",)
    run = begin(plan, path, reports, parts)
    if quiet:
        run = replace(run, say=lambda line: None, tick=lambda line: None)
    return finish(run, lambda: run.load(load, origin), json_file, parts)


def _address(text: str) -> tuple[str, str]:
    """Return origin and URL, without a fragment. Raises UsageError."""
    found = _ADDRESS.match(text)
    if found is None:
        raise _unreadable(text)
    if "@" in found["origin"]:
        raise UsageError(
            "target/url",
            "an address with credentials in it would put them into every report",
            next_step="leave them out, and send them: -a USER:PASSWORD",
        )
    try:
        origin = read_url(found["origin"])
    except UsageError:
        raise _unreadable(text) from None
    rest = found["rest"]
    return origin, f"{origin}{'' if rest.startswith('/') else '/'}{rest}"


def _unreadable(text: str) -> UsageError:
    step = "write it as http://HOST:PORT/PATH, spaces as %20"
    bare = _SCHEMELESS.match(text)
    if bare is None:
        return UsageError("target/url", f"cannot read the address {text!r}", next_step=step)
    return UsageError(
        "target/url",
        f"the address {text!r} has no scheme",
        next_step=f"harness load http://{'' if bare['host'] else 'localhost'}{text}",
    )


def load_of_url(url: str, options: dict[str, Any]) -> Load:
    """Make the load of an address that the command's options ask for. Raises UsageError."""
    total, connections, duration = _sized(options)
    data = options["data"]
    method = (options["method"] or ("GET" if data is None else "POST")).upper()
    if not _METHOD.match(method) or method == "CONNECT":
        raise _wrong(f"{method!r} is no method of a request", "-m GET")
    repeated = Repeated(
        method=method, url=url, total=total, connections=connections,
        headers=_headers(options["headers"], options["auth"], data), **_body(data),
        follows=options["location"], verifies=not options["insecure"],
        timeout_s=float(options["timeout"]),
    )  # fmt: skip
    objectives = [parse_objective(text, Family.LOAD) for text in options["objectives"]]
    spoken_of = {objective.indicator for objective in objectives}
    statuses = (text for text in DEFAULT_STATUSES if text.partition(" ")[0] not in spoken_of)
    processes = min(options["processes"], connections or total or options["processes"])
    pace: Pace = (
        Rate(options["rate"], duration) if connections is None
        else Workers(-(-connections // processes), duration)
    )  # fmt: skip
    made = load_of(
        SCENARIO, f"{method} {url}", pace, (*options["objectives"], *statuses), processes
    )
    return replace(made, repeated=repeated)


def _sized(options: dict[str, Any]) -> tuple[int | None, int | None, Fraction]:
    """Return how many requests over how many connections, None: any number, and for how long."""
    total, each, rate = options["total"], options["requests"], options["rate"]
    connections, duration = options["connections"], options["duration"]
    if total and each:
        raise _wrong("-n is the total, --requests the share of a connection", "give one of them")
    if rate and (connections or each):
        told = "--rate is an open pace, of as many connections as it needs"
        raise _wrong(f"{told}: it does not go with -c or --requests", "leave those out")
    if not rate:
        connections = connections or min(DEFAULT_CONNECTIONS, total or DEFAULT_CONNECTIONS)
        total = each * connections if each else total
    if not total and not duration:
        total = DEFAULT_TOTAL
    if rate:
        takes = Fraction(total) / rate if total else duration
        return total, None, min(takes, duration or takes)
    return total, min(connections, total or connections), duration or UNTIMED_S


def _headers(
    given: tuple[str, ...], auth: str | None, data: str | None
) -> tuple[tuple[str, str], ...]:
    headers = []
    for text in given:
        found = _HEADER.match(text)
        if found is None:
            name = re.split(r"[\s:]", text, maxsplit=1)[0]  # the rest may be a secret
            raise _wrong(f"-H {name!r} is no header: expected 'NAME: VALUE'", "-H 'Accept: */*'")
        headers.append((found["name"], found["value"].rstrip()))
    if auth is not None:
        if ":" not in auth:
            raise _wrong("-a takes a name and a password", "-a USER:PASSWORD")
        headers.append(("Authorization", f"Basic {b64encode(auth.encode()).decode()}"))
    if data is not None and "content-type" not in {name.lower() for name, _ in headers}:
        headers.append(_DATA_TYPE)
    return tuple(headers)


def _body(data: str | None) -> dict[str, str]:
    if data is None:
        return {}
    if data.startswith("@"):
        must_exist(data[1:], "load/body")
        return {"file": data[1:]}
    if len(data.encode()) > _LONGEST_DATA:
        told = f"--data is longer than {_LONGEST_DATA:,} bytes"
        raise UsageError("load/body", told, next_step="write it to a file: --data @FILE")
    return {"data": data}


def _wrong(told: str, next_step: str) -> UsageError:
    return UsageError("usage", told, next_step=next_step)
