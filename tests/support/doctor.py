"""What tests ask of the doctor."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.wsgi import get_wsgi_application

from tasks_app.doctor.address import Address
from tasks_app.doctor.finding import Figure, Finding, Result
from tasks_app.doctor.peer import Peer, run_peer
from tests.support.scripts import Request, serve
from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE, wait_until

REDIS = "django.core.cache.backends.redis.RedisCache"
LAYER = "channels_redis.pubsub.RedisPubSubChannelLayer"


@dataclass(frozen=True)
class Diagnosis:
    """What the command printed as JSON, and its exit status."""

    status: int
    report: dict[str, Any]

    @property
    def ids(self) -> set[str]:
        return {item["id"] for part in self.report["parts"].values() for item in part["findings"]}


def run_doctor(*options: str, **settings: Any) -> Diagnosis:
    """Run `manage.py tasks_doctor --json` in a process of its own, on the sound site with these settings."""
    done = subprocess.run(
        [sys.executable, "-m", "django", "tasks_doctor", "--json", *options],
        cwd=ROOT,
        env=make_env(**settings),
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
    )
    return Diagnosis(done.returncode, json.loads(done.stdout))


def make_env(**settings: Any) -> dict[str, str]:
    """Return the environment of a process of the sound site with these settings."""
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.support.doctor_settings", "DOCTOR": json.dumps(settings)}


def on_valkey(address: str, **options: Any) -> dict[str, Any]:
    """Return the settings of a site that several processes share."""
    limits = {"socket_timeout": 5, "socket_connect_timeout": 5, **options}
    return {
        "CACHES": {"default": {"BACKEND": REDIS, "LOCATION": f"redis://{address}", "OPTIONS": limits}},
        "CHANNEL_LAYERS": {
            "default": {
                "BACKEND": LAYER,
                "CONFIG": {"hosts": [{"address": f"redis://{address}", "socket_timeout": None}]},
            }
        },
    }


def find_ids(results: Iterable[Result]) -> list[str]:
    """Return the ids of what was found; each says what is wrong and how to mend it."""
    findings = [item for item in results if isinstance(item, Finding)]
    assert all(item.what and item.cure for item in findings)
    return [item.id for item in findings]


def find_held(results: list[Any]) -> list[Finding]:
    assert find_ids(results) == ["stream-held"]
    return [item for item in results if isinstance(item, Finding)]


def find_figures(results: Iterable[Result]) -> dict[str, Any]:
    return {item.name: item.value for item in results if isinstance(item, Figure)}


@contextmanager
def run_peer_of(settings: Any, monkeypatch: pytest.MonkeyPatch, **values: Any) -> Iterator[Peer]:
    """Run another process of the sound site with these settings, which this process has as well."""
    monkeypatch.setenv("DOCTOR", json.dumps(values))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.support.doctor_settings")
    for name, value in values.items():
        setattr(settings, name, value)
    with run_peer() as peer:
        yield peer


@dataclass
class HoldingProxy:
    """A proxy that passes on each answer until a text has come, and holds what comes after it until it stops.

    Attributes:
        text: None if it holds nothing.
        requests: the requests that came, the first one first.
    """

    address: Address
    text: str | None
    requests: list[Request]

    def wait_for_polls(self, number: int) -> None:
        """Wait until a task was asked for so many more times."""
        wanted = self.count_polls() + number
        wait_until(lambda: self.count_polls() >= wanted, f"the task is asked for; so far {self.requests}")

    def count_polls(self) -> int:
        return sum(request.path.startswith("/tasks/") for request in self.requests)


@contextmanager
def hold_after(text: str | None, site: Address) -> Iterator[HoldingProxy]:
    """Run a proxy in front of a site that passes on the event with a text, and holds all after it; None: nothing."""
    is_over, upstreams = threading.Event(), []

    def pass_on(request: Request) -> Iterator[bytes]:
        head = f"{request.method} {request.path} HTTP/1.0\r\nHost: {site.host}:{site.port}\r\n\r\n"
        with socket.create_connection((site.host, site.port or 80), DEADLINE) as upstream:
            upstreams.append(upstream)
            upstream.sendall(head.encode())
            passed = b""
            while part := upstream.recv(65536):
                if (end := _find_end_of_event(text, passed + part)) is not None:
                    yield part[: end - len(passed)]
                    is_over.wait(DEADLINE)
                    return
                yield part
                passed += part

    with serve(pass_on) as server:
        try:
            yield HoldingProxy(Address.parse(server.url), text, server.requests)
        finally:
            is_over.set()
            for upstream in upstreams:
                with suppress(OSError):  # it was closed before
                    upstream.shutdown(socket.SHUT_RDWR)


def _find_end_of_event(text: str | None, received: bytes) -> int | None:
    """Return where the event with a text ends, since others may come with it; None if that has not arrived."""
    place = -1 if text is None else received.find(text.encode())
    end = -1 if place < 0 else received.find(b"\n\n", place)
    return None if end < 0 else end + 2


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None: ...


@contextmanager
def run_wsgi() -> Iterator[Address]:
    """Run the site of this process under WSGI."""
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Address.parse(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join(DEADLINE)
