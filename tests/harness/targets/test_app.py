from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from quart import Quart

from harness.errors import HarnessError, TargetError, UsageError
from harness.target import AppPath
from harness.targets.app import load_app
from harness.targets.hang import Limits

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _found_beside_this_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def load(text: str) -> object:
    return load_app(AppPath.parse(text), Limits(root=HERE))


@pytest.mark.parametrize("text", ["apps:application", "apps:shop()"])
def test_an_application_is_imported_or_made(text: str) -> None:
    assert isinstance(load(text), Quart)


def test_any_asgi_callable_will_do() -> None:
    assert callable(load("apps:bare"))


@pytest.mark.parametrize(
    ("text", "slug", "said"),
    [
        ("nowhere:app", "target/no-module", "no module 'nowhere'"),
        ("apps.nowhere:app", "target/no-module", "no module 'apps.nowhere'"),
        ("apps:shopp()", "target/no-attribute", "no 'shopp'"),
        ("apps:number", "target/not-asgi", "of type int"),
        ("apps:wsgi", "target/not-asgi", "WSGI"),
        ("apps:shop", "target/not-asgi", "write 'apps:shop()'"),
    ],
)
def test_a_path_that_names_no_application_cannot_be_understood(
    text: str, slug: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load(text)

    assert caught.value.slug == slug
    assert said in caught.value.message
    assert caught.value.exit_code == 64


def test_a_misspelt_attribute_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        load("apps:shopp()")

    assert "Did you mean 'shop'?" in caught.value.next_step


def test_a_factory_that_raises_is_named_with_its_line() -> None:
    with pytest.raises(TargetError) as caught:
        load("apps:broken_factory()")

    assert "RuntimeError: needs settings" in caught.value.message
    assert "apps.py:" in caught.value.where
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nowhere_at_all", "No module named 'nowhere_at_all'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = 1 / 0", "ZeroDivisionError"),
        ("def f(:", "SyntaxError"),
        ("from quart import Quart\nQuart('shop').run()", "put it below 'if __name__"),
    ],
)
def test_a_module_that_raises_gives_no_evidence(tmp_path: Path, source: str, said: str) -> None:
    name = f"raises_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)

    with pytest.raises(HarnessError) as caught:
        load_app(AppPath.parse(f"{name}:app"), Limits(root=tmp_path))

    assert caught.value.slug == "target/import-failed"
    assert said in caught.value.message
    assert caught.value.exit_code == 2


def test_the_place_is_the_projects_own_line_and_not_a_librarys(tmp_path: Path) -> None:
    (tmp_path / "calls_json.py").write_text("import json\n\njson.loads('{')\n")

    with pytest.raises(TargetError) as caught:
        load_app(AppPath.parse("calls_json:app"), Limits(root=tmp_path))

    assert caught.value.where == "calls_json.py:3"


def test_an_async_factory_is_told_from_an_application() -> None:
    with pytest.raises(UsageError, match="its factory is async"):
        load("apps:async_factory()")


def test_a_module_in_src_is_found_by_the_message(tmp_path: Path) -> None:
    (tmp_path / "src" / "hidden_shop").mkdir(parents=True)

    with pytest.raises(UsageError) as caught:
        load_app(AppPath.parse("hidden_shop:app"), Limits(root=tmp_path))

    assert "PYTHONPATH=src" in caught.value.next_step


@pytest.mark.parametrize("name", ["platform", "sys", "wsgiref"])
def test_a_module_whose_name_is_pythons_own_is_told_from_it(tmp_path: Path, name: str) -> None:
    importlib.import_module(name)  # as something always has
    (tmp_path / f"{name}.py").write_text("app = 1")

    with pytest.raises(UsageError) as caught:
        load_app(AppPath.parse(f"{name}:app"), Limits(root=tmp_path))

    assert caught.value.slug == "target/other-module"
    assert caught.value.message.endswith(f"and not {name}.py")
    assert "a name of its own" in caught.value.next_step


def test_a_package_below_a_name_of_pythons_own_is_told_from_it(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    for name in ("__init__.py", "shop.py"):
        (tmp_path / "code" / name).write_text("")
    importlib.import_module("code")

    with pytest.raises(UsageError) as caught:
        load_app(AppPath.parse("code.shop:app"), Limits(root=tmp_path))

    assert caught.value.slug == "target/other-module"
    assert "and not code/__init__.py" in caught.value.message


def test_a_module_that_was_imported_from_elsewhere_before_is_named(tmp_path: Path) -> None:
    (tmp_path / "apps.py").write_text("")
    load("apps:bare")

    with pytest.raises(UsageError) as caught:
        load_app(AppPath.parse("apps:bare"), Limits(root=tmp_path))

    assert caught.value.slug == "target/other-module"
    assert str(HERE / "apps.py") in caught.value.message


def test_a_folder_without_python_beside_an_installed_package_is_not_its_module(
    tmp_path: Path,
) -> None:
    (tmp_path / "quart").mkdir()

    with pytest.raises(UsageError) as caught:
        load_app(AppPath.parse("quart:nothing"), Limits(root=tmp_path))

    assert caught.value.slug == "target/no-attribute"


def test_a_setting_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "needs_settings.py").write_text("import os\n\nos.environ['SHOP_URL']\n")

    with pytest.raises(TargetError) as caught:
        load_app(AppPath.parse("needs_settings:app"), Limits(root=tmp_path))

    assert "'SHOP_URL'" in caught.value.message
    assert caught.value.where == "needs_settings.py:3"
    assert "env = {" in caught.value.next_step
