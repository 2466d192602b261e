"""The profiles of the demo site: all commands in their tables are run, and the default task followed to its end."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from progress_site import profiles
from tests.site.test_site import (
    SECRET_KEY,
    SETTINGS,
    Site,
    cancel,
    follow,
    get_task,
    manage,
    start_simulation,
    wait_for_state,
)
from tests.support.servers import ROOT, Server, run_celery, run_command, run_daphne
from tests.support.valkey import ValkeyServer
from tests.support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.slow

#: The commands that the documents have a person start, and how many of each make the point.
COMMANDS = {
    "embedded": {"daphne progress_site.asgi:application": 1},
    "redis": {"daphne -b 0.0.0.0 -p 8000 progress_site.asgi:application": 2},
    "database": {
        "python manage.py migrate": 1,
        "python manage.py createcachetable --database cache": 1,
        "daphne -b 0.0.0.0 -p 8000 progress_site.asgi:application": 1,
        "python manage.py db_worker --no-reload": 2,
    },
    "celery": {
        "daphne -b 0.0.0.0 -p 8000 progress_site.asgi:application": 2,
        "celery -A progress_site worker": 2,
    },
}


def read_commands(profile: str) -> list[str]:
    """Return the commands in the documents' table of a profile."""
    text = (ROOT / "docs/how-to/machines.md").read_text(encoding="utf-8")
    section = re.split(r"^#+ ", text.split(f"## Profile `{profile}`")[1], flags=re.MULTILINE)[0]
    return re.findall(r"^\| `((?:daphne|python|celery) [^`]+)` \|", section, re.MULTILINE)


@pytest.mark.parametrize("profile", profiles.PROFILES)
def test_documents_have_a_table_of_each_profile(profile):
    assert read_commands(profile) == list(COMMANDS[profile])


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return SETTINGS | {
        "DJANGO_DATABASE": str(tmp_path / "db.sqlite3"),
        "DJANGO_MEDIA_ROOT": str(tmp_path / "media"),
        "DJANGO_SECRET_KEY": SECRET_KEY,
    }


@pytest.fixture
def valkey() -> Iterator[str]:
    with ValkeyServer() as server:
        yield server.connection_url


@contextmanager
def run_profile(env: Mapping[str, str], without: str = "nothing") -> Iterator[list[Server]]:
    """Run the commands of a profile, and give its web servers."""
    servers = []
    with ExitStack() as stack:
        for command, count in COMMANDS[env["DJANGO_PROFILE"]].items():
            if without in command:
                continue
            for _ in range(count):
                servers += run(command, env, stack)
        yield servers


def run(command: str, env: Mapping[str, str], stack: ExitStack) -> list[Server]:
    """Run a command to its end, or until that of the stack; return the web server that it is, if it is one."""
    program, *arguments = command.split()
    if program == "daphne":
        return [stack.enter_context(run_daphne(arguments[-1], env=env))]
    if program == "celery":
        stack.enter_context(run_celery("--concurrency=1", env=env, app=arguments[1]))
    elif arguments[1] == "db_worker":
        stack.enter_context(run_command([sys.executable, *arguments], env=env))
    else:
        manage(*arguments[1:], env=env)
    return []


def run_client(server: Server) -> str:
    """Run the client to the end of a short simulation, and return what it prints."""
    client = [sys.executable, "clients/client.py", "--url", server.url]
    task = ["--task", "simulate", "--kwargs", '{"duration": 0.5}']
    done = subprocess.run([*client, *task], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_embedded_profile_runs_the_simulation_to_its_end(env):
    with run_profile(env | {"DJANGO_PROFILE": "embedded"}) as (server,):
        assert "100%" in run_client(server)


@pytest.mark.slow
def test_redis_profile_shows_the_task_of_one_web_process_in_another_at_once(env, valkey, tmp_path):
    with run_profile(env | {"DJANGO_PROFILE": "redis", "DJANGO_REDIS_URL": valkey}) as (one, other):
        assert "100%" in run_client(one)
        started = start_simulation(Site(one.url, tmp_path, tmp_path), duration=3)
        snapshots = follow(other.url + started["progress_url"])
    assert snapshots[-1]["state"] == "succeeded"
    assert len(snapshots) >= 10  # the sweep alone, once a second, would show about 4


@pytest.mark.slow
def test_database_profile_needs_no_other_server(env):
    with run_profile(env | {"DJANGO_PROFILE": "database"}) as (server,):
        assert "100%" in run_client(server)


@pytest.mark.slow
def test_database_profile_with_redis_shows_changes_at_once(env, valkey, tmp_path):
    env |= {"DJANGO_PROFILE": "database", "DJANGO_REDIS_URL": valkey}
    with run_profile(env, without="createcachetable") as (server,):
        started = start_simulation(Site(server.url, tmp_path, tmp_path), duration=3)
        snapshots = follow(server.url + started["progress_url"])
    assert snapshots[-1]["state"] == "succeeded"
    assert len(snapshots) >= 10


@pytest.mark.slow
def test_viewers_of_both_web_processes_follow_the_tasks_of_both_celery_workers(env, valkey, tmp_path):
    with run_profile(env | {"DJANGO_PROFILE": "celery", "DJANGO_REDIS_URL": valkey}) as servers:
        assert "100%" in run_client(servers[0])
        sites = [Site(server.url, tmp_path, tmp_path) for server in servers]
        # More than the four that one worker takes for itself in advance; each runs one at a time.
        tasks = [start_simulation(site, duration=2)["task_id"] for site in sites * 3]
        wait_until(lambda: count_running(sites[0], tasks) == 2, "both workers run a task")
        followed = [follow(f"{site.url}/task-progress/{task_id}") for task_id in tasks for site in sites]
    assert [snapshots[-1]["state"] for snapshots in followed] == ["succeeded"] * 12


def count_running(site: Site, tasks: list[str]) -> int:
    return [get_task(site, task_id)["state"] for task_id in tasks].count("running")


@pytest.mark.slow
def test_progress_is_shown_while_an_import_locks_the_database(env, tmp_path):
    with run_profile(env | {"DJANGO_PROFILE": "database"}) as (server,):
        site = Site(server.url, tmp_path, tmp_path)
        task_id = start_simulation(site, duration=20)["task_id"]
        wait_for_state(site, task_id, "running")
        with locked(env["DJANGO_DATABASE"]):
            seen = get_task(site, task_id)["progress"]
            wait_until(lambda: get_task(site, task_id)["progress"] > seen, "it goes on")
        cancel(site, task_id)
        wait_for_state(site, task_id, "cancelled")


@contextmanager
def locked(database: str) -> Iterator[None]:
    """Hold the lock that an import holds while it writes."""
    with closing(sqlite3.connect(database, timeout=DEADLINE)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


# --- what is not a profile ---


def test_unknown_profile_is_refused_with_the_known_ones():
    allowed = "embedded, redis, database, celery"
    with pytest.raises(ImproperlyConfigured, match=f"DJANGO_PROFILE is 'reddis'; allowed: {allowed}"):
        profiles.make_profile("reddis", "")


def test_no_profile_is_the_embedded_one():
    assert profiles.make_profile(" ", "") == profiles.make_profile("embedded", "")


@pytest.mark.parametrize("profile", ["redis", "celery"])
def test_profile_without_its_url_is_refused(profile):
    with pytest.raises(
        ImproperlyConfigured, match=f"DJANGO_PROFILE={profile} needs DJANGO_REDIS_URL, such as redis://"
    ):
        profiles.make_profile(profile, "")


def test_url_that_the_profile_does_not_use_is_refused():
    with pytest.raises(ImproperlyConfigured, match="DJANGO_REDIS_URL is set, which DJANGO_PROFILE=embedded does not"):
        profiles.make_profile("embedded", "redis://localhost")


@pytest.mark.parametrize(
    ("profile", "missing", "package"),
    [
        ("redis", "redis", "redis"),
        ("redis", "channels_redis", "channels-redis"),
        ("database", "django_tasks_db", "django-tasks-db"),
        ("celery", "celery", "celery"),
    ],
)
def test_package_that_is_missing_is_named(profile, missing, package, monkeypatch):
    monkeypatch.setattr(profiles, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(ImproperlyConfigured, match=f"needs a package: pip install {package}$"):
        profiles.make_profile(profile, "redis://localhost")


def test_processes_of_a_shared_profile_need_the_same_secret_key(env):
    env |= {"DJANGO_PROFILE": "database", "DJANGO_SECRET_KEY": ""}
    with pytest.raises(AssertionError, match="ImproperlyConfigured: Set DJANGO_SECRET_KEY"):
        manage("check", env=env)


@pytest.mark.parametrize("profile", profiles.PROFILES)
def test_profile_has_nothing_to_complain_of(profile, env):
    url = "redis://localhost" if profile in ("redis", "celery") else ""
    env |= {"DJANGO_PROFILE": profile, "DJANGO_REDIS_URL": url, "DJANGO_DEBUG": "0", "DJANGO_HTTPS": "1"}
    env |= {"DJANGO_ALLOWED_HOSTS": "127.0.0.1"}
    manage("check", "--deploy", "--fail-level", "WARNING", env=env)
