"""The permissions of staff: they are there after `migrate`, and the host's database has nothing else of this app."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.db import connection

from tasks_app.models import Task
from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE

BOTH = "['cancel_task', 'view_task']"
AUTH = ["django.contrib.auth", "django.contrib.contenttypes"]
ALL = ["daphne", *AUTH, "django.contrib.sessions", "tasks_app"]

#: Runs in a site of its own: checks, migrates, and says what is there.
SITE = """
import django, sys
from django.conf import settings
from django.core.management import call_command
settings.configure(**{config!r})
django.setup()
call_command("check", fail_level="WARNING", tags=["models"], stdout=sys.stderr)
call_command("makemigrations", check=True, verbosity=0)
for alias in settings.DATABASES:
    call_command("migrate", verbosity=0, database=alias)
call_command("dumpdata", "tasks_app", stdout=sys.stderr)
from django.db import connections
for alias in settings.DATABASES:
    with connections[alias].cursor() as cursor:
        tables = connections[alias].introspection.table_names(cursor)
    print(alias, [name for name in tables if name.startswith("tasks_app")], end=" ")
    found = []
    if "auth_permission" in tables:
        from django.contrib.auth.models import Permission
        found = Permission.objects.using(alias).filter(content_type__app_label="tasks_app")
    print([item.codename for item in found])
"""


def run_site(folder: Path, apps: list[str], **settings: object) -> list[str]:
    """Return what a site says of each of its databases."""
    names = ("default", *(["other"] if "DATABASE_ROUTERS" in settings else []))
    databases = {
        name: {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / f"{name}.sqlite3")} for name in names
    }
    config = {"INSTALLED_APPS": apps, "DATABASES": databases, "SECRET_KEY": "x", "USE_TZ": True, **settings}
    code = SITE.format(config=config)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()


@pytest.mark.django_db
def test_permissions_are_created_by_migrate():
    found = Permission.objects.filter(content_type__app_label="tasks_app").values_list("codename", flat=True)
    assert sorted(found) == ["cancel_task", "view_task"]


@pytest.mark.django_db
def test_there_is_no_table():
    assert not [name for name in connection.introspection.table_names() if name.startswith("tasks_app")]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["_default_manager", "_base_manager"])
def test_rows_are_asked_of_no_table(name, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert list(getattr(Task, name).order_by("pk").iterator()) == []


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (ALL, BOTH),
        (["daphne", "tasks_app"], "[]"),
        (["daphne", "django.contrib.contenttypes", "tasks_app"], "[]"),
        (
            ["tasks_app", "people", "django.contrib.auth", "django.contrib.contenttypes"],
            "['cancel_task', 'view_task']",
        ),
    ],
    ids=["all", "neither users nor content types", "no users", "users of its own"],
)
def test_site_without_auth_or_with_a_model_of_its_own_loads_and_migrates(tmp_path, installed, expected):
    settings = {"AUTH_USER_MODEL": "people.Person"} if "people" in installed else {}
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "__init__.py").touch()
    (tmp_path / "people" / "models.py").write_text(
        "from django.contrib.auth.models import AbstractBaseUser\nfrom django.db import models\n\n\n"
        "class Person(AbstractBaseUser):\n"
        "    email = models.EmailField(primary_key=True)\n    USERNAME_FIELD = 'email'\n"
    )
    assert run_site(tmp_path, installed, **settings) == [f"default [] {expected}"]


def test_router_says_which_database_has_the_permissions(tmp_path):
    (tmp_path / "routing.py").write_text(
        "class Router:\n"
        "    def allow_migrate(self, db, app_label, **hints):\n"
        "        return (db == 'other') == (app_label in ('auth', 'contenttypes'))\n"
        "    def db_for_read(self, model, **hints):\n"
        "        return 'other' if model._meta.app_label in ('auth', 'contenttypes') else None\n"
        "    db_for_write = db_for_read\n"
    )
    found = run_site(tmp_path, ALL, DATABASE_ROUTERS=["routing.Router"])
    assert found == ["default [] []", f"other [] {BOTH}"]
