"""What many open streams cost a real Daphne process, behind Django's own middleware."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import wire
from tests.support.servers import ROOT
from tests.support.waiting import wait_until
from tests.support.wire_site import Site, run_site

STREAMS = 100

#: The main thread, a task, the flusher, and a handful that come and go with requests.
FEW_THREADS = 10

LOG_IN = """
import django
django.setup()
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
call_command("migrate", verbosity=0)
user = get_user_model().objects.create_user("ann")
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.create()
print(session.session_key)
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A site with a database in a file, and the cookies of someone who is logged in."""

    site: Site
    database: Path
    cookies: wire.Headers


@pytest.fixture(scope="module")
def account(tmp_path_factory) -> Iterator[Account]:
    database = tmp_path_factory.mktemp("load") / "db.sqlite3"
    env = {"WIRE_DATABASE": str(database), "DJANGO_SETTINGS_MODULE": "tests.support.wire_settings"}
    key = subprocess.run(
        [sys.executable, "-c", LOG_IN], cwd=ROOT, env={**os.environ, **env}, check=True, capture_output=True, text=True
    ).stdout.strip()
    with run_site(env=env, ALLOW_ANONYMOUS_START=False) as site:
        token = "a" * 32
        cookies = [("Cookie", f"sessionid={key}; csrftoken={token}"), ("X-CSRFToken", token)]
        yield Account(site, database.resolve(), cookies)


@pytest.fixture
def streams(account) -> Iterator[list[wire.EventStream]]:
    """Streams of one task that only its owner may see, each having got its first event."""
    site, opened = account.site, []
    body = b'{"task": "puppet", "kwargs": {"name": "load"}}'
    headers = [*account.cookies, ("Content-Type", "application/json")]
    answer = wire.send(site.port, "POST", "/start-task", headers, body)
    assert answer.status == 202, answer
    target = f"/task-progress/{answer.json()['task_id']}"
    assert wire.send(site.port, "GET", target).status == 404
    try:
        opened += [wire.EventStream(site.port, target, account.cookies) for _ in range(STREAMS)]
        for stream in opened:
            assert stream.next() is not None
        yield opened
    finally:
        site.order_return("load")
        for stream in opened:
            stream.socket.close()


def test_open_streams_hold_few_threads(account, streams):
    wait_until(
        lambda: account.site.get_stats()["native_threads"] <= FEW_THREADS, "the threads of the requests have ended"
    )
    assert account.site.get_stats()["viewers"] == STREAMS


def test_open_streams_hold_no_database_connection(account, streams):
    wait_until(
        lambda: account.site.count_connections(account.database) == 0, "every connection to the database was closed"
    )
    assert account.site.get_stats()["viewers"] == STREAMS


def test_every_stream_gets_every_step_and_the_end(account, streams):
    account.site.order("load", status="for all")
    for stream in streams:
        stream.read_status("for all")
    account.site.order_return("load", "bye")
    for stream in streams:
        assert stream.read_all()[-1].json()["result"] == "bye"
    account.site.wait_until_free()


@pytest.mark.slow
def test_stream_over_the_limit_is_refused_until_one_ends():
    with run_site(MAX_STREAMS=2) as site:
        target = f"/task-progress/{site.start_puppet('limit')}"
        with wire.open_streams(site.port, [target, target]) as streams:
            refused = wire.send(site.port, "GET", target)
            assert (refused.status, refused.head.get("content-type")) == (503, "application/problem+json")
            assert int(refused.head.get("retry-after") or 0) > 0
            streams[0].reset()
            wait_until(lambda: site.get_stats()["viewers"] == 1, "there is room again")
            with wire.open_streams(site.port, [target]):
                site.order_return("limit")


@pytest.mark.slow
def test_stream_ends_after_its_lifetime_and_can_be_continued():
    with run_site(MAX_STREAM_SECONDS=0.2, KEEPALIVE=0.1) as site:
        task_id = site.start_puppet("short")
        with site.open(task_id) as stream:
            assert {event.type for event in stream.read_all()} == {"message"}
            last_event_id = stream.decoder.last_event_id
        site.order_return("short")
        events = site.read_all(task_id, headers=[("Last-Event-ID", last_event_id)])
        assert [event.type for event in events] == ["message", "end"]
