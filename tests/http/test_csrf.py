"""Requests that a page of another site has a browser send, with credentials that no cookie tells of."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient
from django.utils.decorators import sync_and_async_middleware

from tasks_app import get_snapshot, make_token
from tasks_app.store.store import get_store
from tests.support.answers import assert_problem
from tests.support.viewers import make_running, put, until

pytestmark = pytest.mark.django_db(transaction=True)

PLACES = ["/start-task", "/tasks/t1/cancel", "/tasks/tokens"]

FOREIGN: dict[str, dict[str, str]] = {
    "another site": {"Origin": "https://evil.example"},
    "another scheme": {"Origin": "https://testserver"},
    "another port": {"Origin": "http://testserver:8001"},
    "no site": {"Origin": "null"},
    "no site at all": {"Origin": ""},
    "garbage": {"Origin": "http://[::1"},
    "another site, by the browser's word": {"Sec-Fetch-Site": "cross-site"},
    "another host of the site": {"Sec-Fetch-Site": "same-site", "Origin": "http://blog.testserver"},
    "a word of the future": {"Sec-Fetch-Site": "beyond"},
    "another site, with a password": {"Origin": "https://evil.example", "Authorization": "Basic YW5uOng="},
    "another site, with a ticket": {"Origin": "https://evil.example", "Authorization": "Negotiate YII"},
}

OWN: dict[str, dict[str, str]] = {
    "a script": {},
    "a script with a password": {"Authorization": "Basic YW5uOng="},
    "a page of this site": {"Origin": "http://testserver"},
    "a page of this site, in a browser of today": {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"},
    "a page behind a proxy that hides its host": {"Origin": "https://shop.example", "Sec-Fetch-Site": "same-origin"},
    "a page that hides its origin": {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    "the user": {"Sec-Fetch-Site": "none"},
    "a page that is trusted": {"Origin": "https://friend.example", "Sec-Fetch-Site": "cross-site"},
    "a page of a domain that is trusted": {"Origin": "https://a.friends.example", "Sec-Fetch-Site": "cross-site"},
    "a page with a header that no browser adds": {"Origin": "https://evil.example", "Authorization": "Bearer x"},
}


@sync_and_async_middleware
def log_in_by_certificate(get_response):
    """A middleware that knows the user without a cookie, as those for Basic, Kerberos and client certificates do."""

    async def middleware(request: HttpRequest) -> HttpResponse:
        request.user = await User.objects.aget(username="ann")
        return await get_response(request)

    return middleware


@pytest.fixture(autouse=True)
async def _site(settings):
    settings.MIDDLEWARE = [f"{__name__}.log_in_by_certificate"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://friend.example", "https://*.friends.example"]
    user = await User.objects.acreate(username="ann")
    put(make_running(owner=str(user.pk)))


async def post(place: str, headers: dict[str, str]) -> Any:
    body = {"tasks": ["t1"]} if place == "/tasks/tokens" else ""
    client = AsyncClient(enforce_csrf_checks=True)
    return await client.post(place, body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_page_of_another_site_is_refused(place, headers):
    assert_problem(await post(place, headers), 403, "CSRF")
    assert get_store().find_cancelled(["t1"]) == set()
    assert get_store().find_recent() == []


@pytest.mark.parametrize("headers", OWN.values(), ids=OWN)
async def test_what_is_no_page_of_another_site_starts_and_cancels(headers):
    response = await post("/start-task", headers)
    assert response.status_code == 202
    await until(lambda: get_snapshot(response.json()["task_id"]).is_terminal, "the task ended")
    assert (await post("/tasks/t1/cancel", headers)).status_code == 202


async def test_anonymous_visitor_is_not_sent_by_another_site_either(settings):
    settings.MIDDLEWARE = []
    assert_problem(await post("/start-task", {"Origin": "https://evil.example"}), 403, "CSRF", "evil.example")


async def test_page_of_another_site_may_read_what_its_token_shows():
    response = await AsyncClient().get(
        f"/tasks/t1?token={make_token('t1')}",
        headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    )
    assert response.status_code == 200
