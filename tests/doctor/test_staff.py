"""The doctor finds that `migrate` was not run since the app was added, and cries no wolf."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Permission
from django.db import connection

from tasks_app.doctor.staff import examine_staff
from tasks_app.permissions import Policy
from tests.support.doctor import find_ids

pytestmark = pytest.mark.django_db(transaction=True)


class OwnPolicy(Policy):
    """A policy that asks for no permission."""

    def can_view(self, request, snapshot):
        return True

    can_list = can_cancel = can_view


@pytest.fixture
def none_created() -> Iterator[None]:
    """The database has no permissions of this app, as before the first `migrate` with it."""
    created = list(known := Permission.objects.filter(content_type__app_label="tasks_app"))
    known.delete()
    yield
    Permission.objects.bulk_create(created)


def test_permissions_that_were_created_are_fine():
    assert find_ids(examine_staff()) == []


@pytest.mark.usefixtures("none_created")
def test_permissions_that_are_missing_are_named():
    (finding,) = examine_staff()
    assert finding.id == "permissions-missing"
    assert "['tasks_app.cancel_task', 'tasks_app.view_task']" in finding.what


@pytest.mark.usefixtures("none_created")
def test_permissions_for_which_no_rule_asks_may_be_missing(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.OwnPolicy"}
    assert find_ids(examine_staff()) == []


@pytest.mark.usefixtures("none_created")
def test_site_without_users_needs_no_permissions(settings):
    settings.INSTALLED_APPS = ["daphne", "tasks_app"]
    assert find_ids(examine_staff()) == []


def test_database_without_its_tables_shows_elsewhere():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE auth_permission RENAME TO away")
    try:
        assert find_ids(examine_staff()) == []
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO auth_permission")
