"""`manage.py tasks_doctor` finds a deployment sound or not, and says so by text, JSON and its exit status."""

import io
import re

import pytest
from django.core.management import CommandError, call_command

from tasks_app.doctor import examination
from tasks_app.doctor.examination import Options, examine
from tasks_app.doctor.peer import PeerFailed, run_peer
from tests.support.doctor import find_ids, run_doctor
from tests.support.nginx import needs_nginx


def test_site_of_one_process_is_sound():
    done = run_doctor("--processes", "1")
    assert (done.ids, done.status, done.report["status"]) == (set(), 0, "sound")


def test_cache_that_two_processes_do_not_share_is_an_error():
    done = run_doctor("--processes", "2")
    assert (done.ids, done.status) == ({"cache-not-shared"}, 2)


@needs_nginx
def test_site_of_many_processes_is_sound_from_inside_and_outside(running, settings_of_site):
    done = run_doctor("--url", str(running.proxy), "--processes", "4", "--hold", "0.1", **settings_of_site)
    assert (done.ids, done.status) == (set(), 0)
    assert list(done.report["parts"])[-2:] == ["site", "stream"]


def test_mistake_in_the_settings_is_all_that_is_said(settings):
    settings.TASKS_APP = {"CACHE": "none"}
    printed = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("tasks_doctor", stdout=printed)
    assert (caught.value.code, "error tasks_app.E005" in printed.getvalue(), "cache:" in printed.getvalue()) == (
        2,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--processes=0"], "--processes is 0"),
        (["--url=shop.example"], "'shop.example' is no address"),
        (["--url=http://shop.example", "--hold=-1"], "--hold is -1.0"),
        (["--url=http://shop.example", "--hold=nan"], "--hold is nan"),
        (["--url=http://shop.example", "--token=x"], "--token needs --task"),
        (["--task=x"], "need --url"),
        (["--behind=http://127.0.0.1:8000"], "need --url"),
    ],
)
def test_option_that_is_not_allowed_is_named(options, said):
    with pytest.raises(CommandError, match=re.escape(said)) as caught:
        call_command("tasks_doctor", *options)
    assert caught.value.returncode == 3


def test_silenced_check_stays_silent(settings):
    settings.TASKS_APP, settings.SILENCED_SYSTEM_CHECKS = {"CACHE": "none"}, ["tasks_app.E005"]
    assert "tasks_app.E005" not in {item.id for item in examine(Options()).findings}


def test_site_that_can_not_start_is_told_of_with_its_error(monkeypatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "no_such_settings")
    with pytest.raises(PeerFailed, match="No module named 'no_such_settings'"), run_peer():
        pass


def test_process_that_does_not_start_is_a_finding(monkeypatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "no_such_settings")
    assert find_ids(examination._examine_processes(Options())) == ["peer-fails"]


@pytest.mark.parametrize(("debug", "levels"), [(True, {"debug": "note"}), (False, {})])
def test_checks_of_a_deployment_are_left_out_with_debug(settings, debug, levels):
    settings.DEBUG = debug
    settings.ASGI_APPLICATION, settings.ROOT_URLCONF = "tests.support.doctor_site.application", "tests.support.urls"
    settings.TASKS_APP = {"MAX_STREAMS": 100}
    found = examination.examine_settings(processes=1)
    assert {item.id: item.level for item in found} == levels


def test_error_of_the_examination_is_a_finding_and_no_traceback():
    (finding,) = examination._collect(lambda: (1 / 0 for _ in "a"))
    assert (finding.id, finding.level, "ZeroDivisionError" in finding.what) == ("not-examined", "unknown", True)
