"""The health of a process, as load balancers ask for it."""

import asyncio

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.test import AsyncClient

from tasks_app.http.health import MAX_LOST, get_health
from tests.support.caches import HANGING_CACHES, Controls, gate

URL = "/task-health"


@pytest.fixture
def hanging_cache(settings):
    settings.CACHES = HANGING_CACHES
    yield gate
    gate.open()


async def ask() -> tuple[int, bytes]:
    response = await AsyncClient().get(URL)
    return response.status_code, response.content


async def test_process_whose_cache_works_is_well():
    assert await ask() == (200, b"ok\n")


@pytest.mark.parametrize("method", ["get_many", "set_many"])
async def test_process_whose_cache_fails_is_not_well_and_says_no_more(cache: Controls, method: str):
    cache.break_down(method)
    assert await ask() == (503, b"not ok\n")


async def test_process_whose_cache_takes_nothing_is_not_well(cache: Controls):
    cache.refused = "probe"
    assert await ask() == (503, b"not ok\n")


async def test_process_whose_cache_hangs_is_not_well_and_its_loop_goes_on(hanging_cache):
    hanging_cache.shut()
    asked, turns = asyncio.ensure_future(ask()), 0
    while not asked.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert (asked.result(), turns > 5) == ((503, b"not ok\n"), True)


async def test_question_that_a_cache_never_answers_is_asked_again_and_no_more_than_some_are_lost(
    hanging_cache, monkeypatch
):
    monkeypatch.setattr("tasks_app.http.health.MAX_AGE", 0)
    monkeypatch.setattr("tasks_app.http.health.PATIENCE", 0.01)
    hanging_cache.shut()
    for _ in range(2 * MAX_LOST):
        assert await ask() == (503, b"not ok\n")
    assert len(hanging_cache.waiting) == 1 + MAX_LOST


async def test_cache_that_works_again_is_well_again(cache: Controls, monkeypatch):
    monkeypatch.setattr("tasks_app.http.health.INTERVAL", 0)
    cache.break_down()
    await ask()
    cache.repair()
    assert await ask() == (200, b"ok\n")


async def test_cache_is_asked_once_however_many_ask(cache: Controls):
    get_health.cache_clear()
    cache.take_reads()
    await asyncio.gather(*[ask() for _ in range(20)])
    assert len([keys for keys in cache.take_reads() if any("probe" in key for key in keys)]) == 1


async def test_health_asks_no_database_who_asks(settings):
    settings.SESSION_ENGINE = "tests.http.test_health"  # whose sessions can't be read
    client = AsyncClient()
    client.cookies["sessionid"] = "a" * 32
    assert (await client.get(URL)).status_code == 200


class SessionStore(SessionBase):
    """Sessions of a database that is down."""

    async def aload(self) -> None:
        raise OSError


async def test_refusal_is_logged_once_and_mailed_to_nobody(cache: Controls, caplog, monkeypatch):
    monkeypatch.setattr("tasks_app.http.health.INTERVAL", 0)
    cache.break_down()
    await ask()
    await ask()
    assert [record.levelname for record in caplog.records if record.name in ("tasks_app", "django.request")] == [
        "WARNING"
    ]


@pytest.mark.parametrize("method", ["post", "put", "delete"])
async def test_health_is_only_asked(method: str):
    assert (await getattr(AsyncClient(), method)(URL)).status_code == 405
