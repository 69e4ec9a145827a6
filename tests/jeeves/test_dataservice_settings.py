"""Where the dataservice's settings come from, and what is said of those that cannot be used."""

import json
from pathlib import Path

import pytest

from fixtures.jeeves.dataservice.app import create_app
from fixtures.jeeves.dataservice.settings import Settings, SettingsError, load

ALLOWED = ", ".join(Settings.__struct_fields__)


def test_the_defaults_need_nothing_installed() -> None:
    settings = load(environ={})

    assert settings.database_url.startswith("sqlite+aiosqlite:///")
    assert settings.max_body_bytes == 64 * 1024
    assert settings.dashboard_url == ""


@pytest.mark.parametrize("suffix", [".json", ".yml"])
def test_a_file_overrides_the_defaults_key_by_key(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"mine{suffix}"
    file.write_text(json.dumps({"max_page": 5}))
    settings = load(environ={"DATASERVICE_SETTINGS": str(file)})

    assert settings.max_page == 5
    assert settings.max_body_bytes == load(environ={}).max_body_bytes


def test_the_environment_overrides_the_file_and_the_caller_overrides_both(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("{max_page: 5, max_body_bytes: 5, database_url: file}")
    environ = {
        "DATASERVICE_SETTINGS": str(file),
        "DATASERVICE_MAX_BODY_BYTES": "6",
        "DATASERVICE_PORT": "tcp://10.0.0.1:80",  # Kubernetes, not a setting
        "DATASERVICE_DATABASE_URL": "not its name",
        "DATABASE_URL": "environment",
        "TOKENDEALER_URL": "",
    }
    settings = load({"database_url": "caller"}, environ)

    assert (settings.max_page, settings.max_body_bytes) == (5, 6)
    assert settings.database_url == "caller"
    assert load(environ=environ).database_url == "environment"
    assert settings.tokendealer_url == load(environ={}).tokendealer_url


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"colour": "red"}, "unknown field `colour`"),
        ({"max_page": "many"}, "Expected `int`, got `str` - at `$.max_page`"),
        ({"max_page": None}, "Expected `int`, got `null` - at `$.max_page`"),
        ({"database_url": 7}, "Expected `str`, got `int` - at `$.database_url`"),
    ],
)
def test_what_is_no_setting_is_refused_with_those_that_are(
    given: dict[str, object], complaint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(given, environ={})

    assert str(caught.value).startswith("create_app(): ")
    assert complaint in str(caught.value)
    assert str(caught.value).endswith(f"settings: {ALLOWED}")


def test_a_bad_value_in_the_environment_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"the environment: Expected `int`.*\$\.max_page"):
        load(environ={"DATASERVICE_MAX_PAGE": "swordfish"})


@pytest.mark.parametrize("text", ["max_page: [", "- max_page", "", "7"])
def test_a_file_that_is_no_mapping_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.yml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"mine\.yml: cannot be read"):
        load(environ={"DATASERVICE_SETTINGS": str(file)})


def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.yml: cannot be read"):
        load(environ={"DATASERVICE_SETTINGS": str(tmp_path / "missing.yml")})


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"])
def test_sqlite_in_memory_is_refused_for_its_connections_would_share_transactions(url: str) -> None:
    with pytest.raises(SettingsError, match="needs a file"):
        create_app({"database_url": url})


@pytest.mark.parametrize("url", ["swordfish", "nosuch://x:swordfish@h/x", "sqlite:///swordfish.db"])
def test_a_database_that_nobody_knows_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        create_app({"database_url": url})

    assert str(caught.value).startswith("database_url: ")
    assert "swordfish" not in str(caught.value)
