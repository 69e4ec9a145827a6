"""Where settings come from, and what is said of those that cannot be used. Needs no target."""

import json
from pathlib import Path

import pytest

from fixtures.jeeves.skeleton.settings import KINDS, SettingsError, load

ALLOWED = ", ".join(KINDS)


def test_the_defaults_are_complete_and_hold_no_secret() -> None:
    settings = load(environ={})

    assert settings.weather_url == "https://api.openweathermap.org"
    assert settings.weather_timeout_s == 1.0
    assert settings.max_body_bytes == 64 * 1024
    assert (settings.secret_key, settings.weather_key) == ("", "")


@pytest.mark.parametrize("suffix", [".json", ".yml"])
def test_a_file_overrides_the_defaults_key_by_key(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"mine{suffix}"
    file.write_text(json.dumps({"max_things": 5, "users": {}}))  # JSON is YAML too
    settings = load(environ={"SKELETON_SETTINGS": str(file)})

    assert (settings.max_things, settings.users) == (5, {})
    assert settings.max_body_bytes == load(environ={}).max_body_bytes


def test_the_environment_overrides_the_file_and_the_caller_overrides_both(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("{max_things: 5, max_body_bytes: 5, secret_key: file}")
    environ = {
        "SKELETON_SETTINGS": str(file),
        "SKELETON_MAX_BODY_BYTES": "6",
        "SKELETON_SECRET_KEY": "0123",
        "SKELETON_TRUSTED_PROXIES": "[10.0.0.0/8]",
        "WEATHER_URL": "http://127.0.0.1:9",
        "WEATHER_KEY": "",
    }
    settings = load({"secret_key": "caller"}, environ)

    assert (settings.max_things, settings.max_body_bytes) == (5, 6)
    assert settings.secret_key == "caller"
    assert load(environ=environ).secret_key == "0123"
    assert settings.trusted_proxies == ["10.0.0.0/8"]
    assert (settings.weather_url, settings.weather_key) == ("http://127.0.0.1:9", "")


def test_names_in_the_environment_that_are_no_settings_are_left_alone() -> None:
    assert load(environ={"SKELETON_PORT": "tcp://10.0.0.1:80"}) == load(environ={})


@pytest.mark.parametrize("given", [{"colour": "red"}, {7: "seven"}])
def test_an_unknown_key_is_refused_with_those_that_are_known(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(given, environ={})

    key = next(iter(given))
    assert str(caught.value) == f"create_app(): {key!r} is not a setting; allowed: {ALLOWED}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("secret_key", 7),
        ("users", ["ada"]),
        ("trusted_proxies", "swordfish"),
        ("max_things", "swordfish"),
        ("max_things", True),
        ("weather_url", None),
        ("weather_timeout_s", "1s"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_without_being_shown(key: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        load({key: value}, environ={})

    kind, found = KINDS[key].__name__, type(value).__name__
    assert str(caught.value) == f"create_app(): {key!r} must be {kind}, not {found}"


def test_whole_seconds_are_seconds() -> None:
    assert load({"weather_timeout_s": 2}, environ={}).weather_timeout_s == 2


@pytest.mark.parametrize("text", ["many", "{", "1.5"])
def test_a_bad_value_in_the_environment_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError, match="the environment: 'max_things' must be int, not"):
        load(environ={"SKELETON_MAX_THINGS": text})


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.yml", "max_things: [", "cannot be read"),
        ("a.json", "max_things: 5", "cannot be read"),
        ("a.yml", "- max_things", f"must map settings to values; allowed: {ALLOWED}"),
        ("a.yml", "", f"must map settings to values; allowed: {ALLOWED}"),
        ("a.yml", "max_thing: 5", f"'max_thing' is not a setting; allowed: {ALLOWED}"),
        ("a.yml", "max_things: many", "'max_things' must be int, not str"),
    ],
)
def test_a_bad_file_is_refused_by_its_name(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(environ={"SKELETON_SETTINGS": str(file)})

    assert str(caught.value).startswith(f"{file}: {complaint}")


def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "missing.yml"
    with pytest.raises(SettingsError, match=r"cannot be read: .*No such file"):
        load(environ={"SKELETON_SETTINGS": str(file)})
