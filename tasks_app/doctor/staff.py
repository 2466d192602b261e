"""The permissions of staff, which `migrate` creates."""

from collections.abc import Iterator

from django.apps import apps
from django.db import DatabaseError

from ..permissions import STAFF_PERMISSIONS, find_permission
from .finding import Finding, Level, Result
from .time_limit import NotInTime, call

AUTH = "django.contrib.auth"


def examine_staff() -> Iterator[Result]:
    """Yield whether the database lacks permissions for which the policy asks.

    Nothing is found where the database can't be read, which shows elsewhere, or where nobody asks for permissions.
    """
    wanted = {name for rule in STAFF_PERMISSIONS if (name := find_permission(rule)) is not None}
    if not wanted or not apps.is_installed(AUTH):
        return
    try:
        missing = sorted(wanted - call(_find_permissions))
    except (DatabaseError, NotInTime):
        return
    if missing:
        yield Finding(
            id="permissions-missing",
            level=Level.WARNING,
            what=f"The database does not have the permissions {missing!r}: only superusers see the tasks of others.",
            cure="Run 'manage.py migrate', which creates them.",
        )


def _find_permissions() -> set[str]:
    """Return the permissions of this app that the database has, as `user.has_perm` takes them."""
    found = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="tasks_app")
    return {f"tasks_app.{codename}" for codename in found.values_list("codename", flat=True)}
