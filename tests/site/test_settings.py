"""The settings of the demo site: what a deployment sets in the environment."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from progress_site import settings
from tests.site.test_site import PRODUCTION, manage


@pytest.mark.slow
@pytest.mark.parametrize("command", [["check"], ["makemigrations", "--check", "--dry-run"]])
def test_project_has_nothing_to_complain_of(command, tmp_path):
    manage(*command, env={"DJANGO_DATABASE": str(tmp_path / "db.sqlite3")})


def test_deployment_checks_pass_behind_https():
    manage("check", "--deploy", "--fail-level", "WARNING", env={**PRODUCTION, "DJANGO_HTTPS": "1"})


def test_production_without_secret_key_says_what_to_set():
    with pytest.raises(AssertionError, match="ImproperlyConfigured: Set DJANGO_SECRET_KEY"):
        manage("check", env={"DJANGO_DEBUG": "0", "DJANGO_SECRET_KEY": ""})


def test_secret_key_is_made_up_where_one_process_debugs(monkeypatch):
    monkeypatch.delenv("DJANGO_SECRET_KEY", raising=False)
    first, second = (settings.read_secret_key("DJANGO_SECRET_KEY", may_be_random=True) for _ in range(2))
    assert len(first) == len(second) == 50
    assert first != second


@pytest.mark.parametrize(("text", "value"), [("1", True), (" TRUE ", True), ("off", False), ("0", False), ("", True)])
def test_flag_is_read_from_the_environment(text, value, monkeypatch):
    monkeypatch.setenv("DJANGO_FLAG", text)
    assert settings.read_flag("DJANGO_FLAG", True) is value


def test_flag_that_says_neither_yes_nor_no_is_refused(monkeypatch):
    monkeypatch.setenv("DJANGO_FLAG", "ture")
    with pytest.raises(ImproperlyConfigured, match="DJANGO_FLAG is 'ture'; allowed: 1, true"):
        settings.read_flag("DJANGO_FLAG", False)


def test_list_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("DJANGO_LIST", " a.example, ,b.example,")
    assert settings.read_list("DJANGO_LIST") == ["a.example", "b.example"]


@pytest.mark.parametrize("text", ["0", "-1", "20 MB", "1.5", "²"])
def test_size_that_is_no_whole_number_above_zero_is_refused(text, monkeypatch):
    monkeypatch.setenv("DJANGO_SIZE", text)
    with pytest.raises(ImproperlyConfigured, match=f"DJANGO_SIZE is '{text}'; it must be a whole number above 0"):
        settings.read_size("DJANGO_SIZE", 7)


@pytest.mark.parametrize(("text", "size"), [("", 7), ("12", 12)])
def test_size_is_read_from_the_environment(text, size, monkeypatch):
    monkeypatch.setenv("DJANGO_SIZE", text)
    assert settings.read_size("DJANGO_SIZE", 7) == size
