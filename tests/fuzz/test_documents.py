"""Each service keeps to its OpenAPI document, whatever a fuzzer makes of it. Run by its own name:

pytest tests/fuzz
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, reject, settings

from harness.manifest import parse_plan
from tests.contract import DOCUMENTS
from tests.system import ROOT, running

PLAN = (ROOT / "harness.toml").read_text().replace("{weather.url}", "{outside.url}").replace(
    "{slack.url}", "{outside.url}"
) + '\n[services.outside]\napp = "tests.fuzz.outside:app"\n'

# A 412 is as good an answer as a 404: that `If-Match` is stale no schema can say.
ACCEPTED = ["2xx", "401", "403", "404", "409", "412"]
CONFIG = {"checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED}}}

Addresses = dict[str, str]
Headers = dict[str, str]


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    with running(parse_plan(PLAN, "harness.toml"), tmp_path_factory.mktemp("system")) as addresses:
        yield addresses


def bearer(system: Addresses, client: str, audience: str) -> Headers:
    secret = f"{client}-secret-for-tests"
    form = {"client_id": client, "client_secret": secret, "audience": audience}
    data = urlencode({"grant_type": "client_credentials", **form}).encode()
    with urlopen(f"{system['tokendealer']}/oauth/token", data) as reply:
        return {"Authorization": f"Bearer {json.load(reply)['access_token']}"}


@pytest.fixture(scope="session")
def writer(system: Addresses) -> Headers:
    return bearer(system, "dataservice-writer", "dataservice")


@pytest.fixture(scope="session")
def admin(system: Addresses) -> Headers:
    return bearer(system, "admin", "tokendealer")


def document(service: str) -> Any:
    config = schemathesis.Config.from_dict(CONFIG)
    return schemathesis.openapi.from_path(DOCUMENTS / f"{service}.yaml", config=config)


@schemathesis.serializer("application/msgpack")
def packed(context: Any, value: Any) -> bytes:
    """Refuses integers of more than 64 bits: they cannot be sent, so that a 422 cannot be seen."""
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:
        reject()


bounded = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@document("skeleton").parametrize()
@bounded
def test_skeleton(case: Any, system: Addresses) -> None:
    case.call_and_validate(base_url=system["skeleton"])


@document("tokendealer").parametrize()
@bounded
def test_tokendealer(case: Any, system: Addresses, admin: Headers) -> None:
    headers = admin if case.path == "/keys/rotate" else {}
    case.call_and_validate(base_url=system["tokendealer"], headers=headers)


@document("dataservice").parametrize()
@bounded
def test_dataservice(case: Any, system: Addresses, writer: Headers) -> None:
    case.call_and_validate(base_url=system["dataservice"], headers=writer)


@document("actions").parametrize()
@bounded
def test_actions(case: Any, system: Addresses) -> None:
    case.call_and_validate(base_url=system["actions"])
