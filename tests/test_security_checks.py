"""What `manage.py check --deploy` says of what strangers could make of a site."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import checks
from django.http import HttpRequest

from tasks_app import security_checks
from tasks_app.asgi import wrap
from tasks_app.permissions import Policy
from tasks_app.security_checks import (
    check_anonymous_start,
    check_exposed_errors,
    check_open_files,
    check_parameters,
    check_slow_readers,
    check_staff_policy,
)
from tests.support import jobs

CHECKS = [
    *(check_anonymous_start, check_exposed_errors, check_open_files, check_parameters, check_slow_readers),
    check_staff_policy,
]


def use(settings: Any, **values: Any) -> None:
    settings.TASKS_APP = {**settings.TASKS_APP, **values}


def get_ids(check: Callable[..., list[checks.CheckMessage]]) -> list[str]:
    found = check(None)
    assert all(message.hint for message in found)
    return [str(message.id) for message in found]


@pytest.mark.parametrize("check", CHECKS)
def test_check_belongs_to_deployment(check):
    assert check in checks.registry.registry.deployment_checks


@pytest.mark.parametrize("check", CHECKS)
def test_settings_with_mistakes_are_left_to_the_other_check(settings, check):
    settings.TASKS_APP = {"MAX_STREAMS": "many", "ALLOW_ANONYMOUS_START": True, "EXPOSE_ERRORS": True}
    if check is not check_slow_readers:  # it reads none of them
        assert check(None) == []


# Arguments of startable tasks


@pytest.mark.parametrize(
    "name", ["path", "PATH", "file_path", "source_url", "uri", "sql", "query", "_command", "template_name", "class_"]
)
def test_parameter_that_strangers_should_not_choose_is_hostile(name):
    assert security_checks._is_hostile(name) is True


@pytest.mark.parametrize("name", ["upload", "file_id", "rows", "profile", "name", "query_limit", "classes", "args"])
def test_parameter_that_is_an_id_or_a_number_is_fine(name):
    assert security_checks._is_hostile(name) is False


@jobs.task
def import_rows(upload_id: int, path: str) -> None: ...


def test_startable_task_that_takes_a_path_is_named(settings):
    use(settings, DEFAULT_TASK="add", STARTABLE={"add": "tests.support.jobs.add", "import": f"{__name__}.import_rows"})
    (warning,) = check_parameters(None)
    assert warning.id == "tasks_app.W015"
    assert "Task 'import' in TASKS_APP['STARTABLE'] takes ['path']" in warning.msg


def test_task_that_can_not_be_imported_is_left_to_the_other_check(settings):
    use(settings, DEFAULT_TASK=None, STARTABLE={"gone": "tests.support.jobs.no_such_task"})
    assert check_parameters(None) == []


# Open files


@pytest.mark.parametrize(("streams", "ids"), [(925, ["tasks_app.W016"]), (924, [])])
def test_more_streams_than_open_files_are_told_of(settings, monkeypatch, streams, ids):
    monkeypatch.setattr(security_checks, "_find_file_limit", lambda: 1024)
    use(settings, MAX_STREAMS=streams)
    assert get_ids(check_open_files) == ids


@pytest.mark.parametrize(("limit", "found"), [((256, 1024), 256), ((-1, -1), None)])
def test_limit_is_that_in_force(monkeypatch, limit, found):
    monkeypatch.setattr(security_checks.resource, "getrlimit", lambda what: limit)
    assert security_checks._find_file_limit() == found


def test_system_without_such_limits_is_fine(settings, monkeypatch):
    monkeypatch.setattr(security_checks, "resource", None)
    use(settings, MAX_STREAMS=10**9)
    assert check_open_files(None) == []


# Who may start, and what viewers see


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({"ALLOW_ANONYMOUS_START": True}, ["tasks_app.W017"]),
        ({"ALLOW_ANONYMOUS_START": False}, []),
        ({"ALLOW_ANONYMOUS_START": True, "STARTABLE": {}, "DEFAULT_TASK": None}, []),
    ],
)
def test_anonymous_starts_are_told_of_where_there_is_something_to_start(settings, values, ids):
    use(settings, **values)
    assert get_ids(check_anonymous_start) == ids


@pytest.mark.parametrize(
    ("exposes", "debug", "ids"),
    [(True, False, ["tasks_app.W018"]), (None, True, ["tasks_app.W018"]), (None, False, []), (False, True, [])],
)
def test_exposed_errors_are_told_of(settings, exposes, debug, ids):
    settings.DEBUG = debug
    use(settings, EXPOSE_ERRORS=exposes)
    assert get_ids(check_exposed_errors) == ids


# Slow readers


async def accept(scope: Any, receive: Any, send: Any) -> None: ...


wrapped, without_lane, hidden = wrap(accept), wrap(accept, lane=False), accept


@pytest.mark.parametrize(
    ("name", "ids"),
    [("wrapped", []), ("without_lane", []), ("hidden", ["tasks_app.W019"]), ("no_such", [])],
)
def test_daphne_without_a_guard_is_told_of_where_the_application_is_known(settings, name, ids):
    settings.ASGI_APPLICATION = f"{__name__}.{name}"
    assert get_ids(check_slow_readers) == ids


def test_site_that_names_no_daphne_may_have_a_server_that_waits(settings):
    settings.ASGI_APPLICATION = f"{__name__}.hidden"
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "daphne"]
    assert check_slow_readers(None) == []


# Policies


class StaffPolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        return request.user.is_staff or super().can_view(request, snapshot)


class PermissionPolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        return request.user.has_perm("shop.look")

    def can_cancel(self, request: HttpRequest, snapshot: Any) -> bool:
        return super().can_cancel(request, snapshot)


class TenantPolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        return request.tenant.has(request.user)


class QueryingPolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        return not User.objects.filter(is_staff=False).exists()


class AsyncPolicy(Policy):
    async def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        return True


@pytest.mark.parametrize(
    ("policy", "ids"),
    [
        (StaffPolicy, ["tasks_app.W020"]),
        (PermissionPolicy, []),
        (TenantPolicy, []),
        (AsyncPolicy, []),
        (QueryingPolicy, []),
    ],
)
@pytest.mark.django_db
def test_policy_that_opens_all_tasks_to_staff_is_told_of(settings, policy, ids):
    use(settings, POLICY=f"{__name__}.{policy.__name__}")
    assert get_ids(check_staff_policy) == ids


def test_default_policy_is_fine():
    assert check_staff_policy(None) == []


def test_rules_that_say_yes_are_named(settings):
    use(settings, POLICY=f"{__name__}.StaffPolicy")
    (warning,) = check_staff_policy(None)
    assert "says yes by ['can_view'] to staff" in warning.msg
