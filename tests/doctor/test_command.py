"""`manage.py tasks_doctor` finds a deployment sound or not, and says so by text, JSON and its exit status."""

import json

import pytest

from tests.support.doctor import on_valkey, run_command, run_doctor


def test_site_of_one_process_is_sound():
    done = run_doctor("--processes", "1")
    assert (done.ids, done.status, done.report["status"]) == (set(), 0, "sound")


def test_cache_that_two_processes_do_not_share_is_an_error():
    done = run_doctor("--processes", "2")
    assert (done.ids, done.status) == ({"cache-not-shared"}, 2)


def test_text_names_what_mends_it():
    done = run_command()
    assert (done.returncode, "warning cache-not-shared" in done.stdout, "Redis or Valkey" in done.stdout) == (
        1,
        True,
        True,
    )


def test_site_of_many_processes_is_sound(valkey):
    done = run_doctor("--processes", "4", **on_valkey(valkey))
    assert (done.ids, done.status) == (set(), 0)
    assert done.report["parts"]["other processes"]["figures"]["cache shared"] == {"value": "yes", "unit": ""}


def test_mistake_in_the_settings_is_all_that_is_said():
    done = run_doctor(TASKS_APP={"CACHE": "none"})
    assert ("tasks_app.E005" in done.ids, list(done.report["parts"]), done.status) == (True, ["settings"], 2)


@pytest.mark.parametrize("option", ["--processes=0"])
def test_option_that_is_not_allowed_is_named(option):
    done = run_command(option)
    assert (done.returncode, option.partition("=")[2] in done.stderr) == (3, True)


def test_json_is_all_that_is_printed():
    assert json.loads(run_command("--json", "--processes", "1").stdout)["exit_status"] == 0
