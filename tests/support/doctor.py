"""What tests ask of the doctor."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tasks_app.doctor.finding import Figure, Finding, Result
from tasks_app.doctor.peer import Peer, run_peer
from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE

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
