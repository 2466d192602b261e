"""A site of its own process behind proxies, most of them broken on purpose, for the tests that look from outside."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tasks_app.doctor import stream
from tasks_app.doctor.address import Address
from tests.support.doctor import make_env, on_valkey
from tests.support.nginx import run_configuration
from tests.support.servers import ROOT, find_free_port, run_daphne

#: The names of the proxies by the ports that their configuration has.
PROXIES = {
    "holding": 8101,
    "compressing": 8102,
    "cutting": 8103,
    "down": 8104,
    "leading to https": 8105,
    "leading to a login": 8106,
    "of another app": 8107,
    "with an unknown host": 8108,
    "with another host": 8109,
    "without origins": 8110,
    "open to all origins": 8111,
    "without static files": 8112,
    "with a password": 8113,
    "with another type": 8114,
    "without the port": 8115,
}

#: What viewers see faster than by a sweep came by the layer, on a busy machine as well.
TASKS_APP = {"MAX_STREAMS": 100, "SWEEP_INTERVAL": 2.0}


@dataclass(frozen=True)
class Outside:
    """The addresses of a site: of its server, of a sound proxy and of the broken ones."""

    server: Address
    proxy: Address
    broken: dict[str, Address]


@pytest.fixture(scope="module")
def settings_of_site(valkey: str) -> dict[str, Any]:
    return {**on_valkey(valkey), "TASKS_APP": TASKS_APP, "ALLOWED_HOSTS": ["127.0.0.1", "inner.example"]}


@pytest.fixture(scope="module")
def running(settings_of_site, tmp_path_factory) -> Iterator[Outside]:
    with run_daphne("tests.support.doctor_site:application", env=make_env(**settings_of_site)) as server:
        ports = {name: find_free_port() for name in PROXIES}
        places = {f"listen {old};": f"listen 127.0.0.1:{ports[name]};" for name, old in PROXIES.items()}
        text = (ROOT / "tests/support/doctor_proxies.conf").read_text()
        places["http://site"] = server.url
        with run_configuration(tmp_path_factory.mktemp("nginx"), text, places) as proxy:
            broken = {name: Address.parse(f"http://127.0.0.1:{port}") for name, port in ports.items()}
            yield Outside(Address.parse(server.url), Address.parse(proxy.url), broken)


@pytest.fixture
def outside(running, settings_of_site, settings) -> Outside:
    """The site, with its settings in this process as well."""
    for name, value in settings_of_site.items():
        setattr(settings, name, value)
    settings.ROOT_URLCONF = "tests.support.doctor_site"
    return running


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch) -> None:
    """Changes follow each other at once; a test of how sweeps show them sets the pause itself."""
    monkeypatch.setattr(stream, "GAP_PART", 0.01)


@pytest.fixture
def find_proxy(outside: Outside) -> Callable[[str], Address]:
    """Return the address of a broken proxy."""
    return outside.broken.__getitem__
