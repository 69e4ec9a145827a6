from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from harness.facts import Surprise
from harness.manifest import parse_plan
from harness.rig import rigged
from tests.harness.project import PLAN, STUBS


def test_calls_that_no_stub_answers_for_one_reason_are_one_fact(tmp_path: Path) -> None:
    (tmp_path / "weather.toml").write_text(STUBS)
    with rigged(parse_plan(PLAN, "harness.toml"), tmp_path, tmp_path) as rig:
        for path in ("/then", "/then", "/when", "/then"):
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(rig.addresses["weather.url"] + path)
        told = [fact.message for fact in rig.facts("mix") if isinstance(fact, Surprise)]

    assert len(told) == 2
    assert told[0].startswith("no stub answers GET /then")
    assert told[0].endswith("\n3 such calls")
    assert told[1].startswith("no stub answers GET /when")
    assert "such calls" not in told[1]


@pytest.mark.parametrize(
    ("proxy", "allowed", "told"),
    [
        (None, "[]", None),
        ("http://127.0.0.1:3128", "[]", "*"),
        ("proxy.example.org:3128", '["proxy.example.org"]', "mine.test,weather.example.org"),
    ],
)
def test_a_proxy_is_asked_only_where_it_is_allowed_and_never_for_a_standin(
    proxy: str | None, allowed: str, told: str | None,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    known = {"https": proxy, "no": "mine.test"} if proxy else {}
    monkeypatch.setattr(urllib.request, "getproxies", lambda: dict(known))
    (tmp_path / "weather.toml").write_text(STUBS)
    plan = parse_plan(f"allow_hosts = {allowed}\n{PLAN}", "harness.toml")

    with rigged(plan, tmp_path, tmp_path) as rig:
        env = rig.environment_of(plan.service)

    assert (env.get("no_proxy"), env.get("NO_PROXY")) == (told, told)
