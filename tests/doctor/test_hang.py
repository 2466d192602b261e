"""The doctor comes to an end beside servers that take connections and answer nothing, and behind proxies that hold."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.doctor import on_valkey, run_doctor
from tests.support.nginx import needs_nginx
from tests.support.valkey import ValkeyServer

pytestmark = pytest.mark.slow

FILES = "django.core.cache.backends.filebased.FileBasedCache"


@pytest.fixture(scope="module")
def halted() -> Iterator[str]:
    """The address of a server that answers nothing."""
    with ValkeyServer() as server:
        server.halt()
        yield server.connection_url.removeprefix("redis://")
        server.resume()


def test_cache_that_hangs_is_an_error(halted: str):
    done = run_doctor(**on_valkey(halted, socket_timeout=None))
    assert (done.ids, done.status) == ({"cache-hangs"}, 2)


def test_layer_that_hangs_is_a_warning(halted: str, tmp_path: Path):
    cache = {"BACKEND": FILES, "LOCATION": str(tmp_path), "OPTIONS": {"MAX_ENTRIES": 1_000_000}}
    done = run_doctor(**{**on_valkey(halted), "CACHES": {"default": cache}})
    assert (done.ids, done.status) == ({"layer-fails"}, 1)


@needs_nginx
def test_proxy_that_holds_back_is_named_within_the_usual_time_limits(running, settings_of_site):
    done = run_doctor("--url", str(running.broken["holding"]), **settings_of_site)
    (finding,) = done.report["parts"]["stream"]["findings"]
    assert (finding["id"], "nginx" in finding["what"], done.status) == ("stream-held", True, 2)


@needs_nginx
def test_silent_stream_is_watched_for_longer_than_keepalive(running, settings_of_site):
    done = run_doctor("--url", str(running.broken["cutting"]), **settings_of_site)
    assert (done.ids, done.status) == ({"stream-cut"}, 1)
