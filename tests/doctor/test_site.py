"""The doctor finds what proxies and settings do to the answers of a site, and nothing where they do no harm."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from django.urls import include, path

from tasks_app.doctor import site
from tasks_app.doctor.address import Address
from tasks_app.doctor.finding import Finding
from tasks_app.doctor.site import examine_site
from tests.support.doctor import find_ids
from tests.support.nginx import needs_nginx
from tests.support.scripts import serve
from tests.support.servers import find_free_port

pytestmark = needs_nginx

TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]


@pytest.mark.parametrize("place", ["server", "proxy"])
def test_sound_site_has_nothing_to_hear(outside, settings, place):
    settings.TEMPLATES, settings.STATIC_URL = TEMPLATES, "/static/"
    assert find_ids(examine_site(getattr(outside, place))) == []


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("down", ["site-down"]),
        ("leading to https", ["site-redirects-https"]),
        ("leading to a login", ["site-redirects"]),
        ("of another app", ["site-without-urls"]),
        ("with an unknown host", ["site-refuses-host"]),
        ("with another host", ["csrf-own-origin"]),
        ("without the port", ["csrf-own-origin"]),
        ("without origins", ["csrf-foreign-origin"]),
        ("open to all origins", ["cors-open"]),
        ("with a password", ["site-forbids"]),
        ("without static files", ["static-not-served"]),
    ],
)
def test_proxy_is_found(find_proxy: Callable[[str], Address], settings, name, ids):
    settings.TEMPLATES, settings.STATIC_URL = TEMPLATES, "/static/"
    assert find_ids(examine_site(find_proxy(name))) == ids


def test_proxy_that_does_not_reach_the_site_is_named(find_proxy):
    (finding,) = examine_site(find_proxy("down"))
    assert "nginx" in finding.what


def test_site_that_does_not_hear_its_port_is_told_which_host_it_hears(find_proxy, settings):
    settings.TEMPLATES = []
    (finding,) = examine_site(find_proxy("without the port"))
    assert isinstance(finding, Finding)
    assert ("it is 'http://127.0.0.1'" in finding.what, "Host $http_host;" in finding.cure) == (True, True)


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("http://a:81", ["http://a", "https://a:81", "https://a"]),
        ("https://a", ["http://a"]),
    ],
)
def test_origins_for_which_a_site_may_take_itself_lack_the_port_or_the_scheme(text, origins):
    assert Address.parse(text).list_mistaken_origins() == origins


def test_site_that_nobody_serves_is_unreachable():
    address = Address.parse(f"http://127.0.0.1:{find_free_port()}")
    assert find_ids(examine_site(address)) == ["site-unreachable"]


def test_server_that_never_answers_does_not_hold_up_the_doctor(monkeypatch):
    import socket

    monkeypatch.setattr("tasks_app.doctor.address.ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address.parse(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert find_ids(examine_site(address)) == ["site-unreachable"]


def test_site_without_the_urls_of_the_app_is_found(settings):
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    assert find_ids(examine_site(Address.parse("http://127.0.0.1:9"))) == ["site-without-urls"]


def test_site_whose_urls_have_a_parameter_before_them_is_not_said_to_be_without(settings):
    settings.ROOT_URLCONF = ModuleType("urlconf")
    settings.ROOT_URLCONF.urlpatterns = [path("<slug:tenant>/", include("tasks_app.urls"))]
    (found,) = examine_site(Address.parse("http://127.0.0.1:9"))
    assert (found.id, found.level) == ("site-below-parameters", "unknown")
    assert "have parameters before them, ['tenant']" in found.what


def answer(*headers: str, status: str = "404 Not Found") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/problem+json", "Connection: close", *headers]
    return "\r\n".join([*lines, "", "{}"]).encode()


def test_clock_of_the_site_that_is_apart_is_found():
    with serve(lambda request: answer("Date: Mon, 30 Nov 2020 10:00:00 GMT")) as server:
        assert "clocks-apart" in find_ids(examine_site(Address.parse(server.url)))


def test_site_that_fails_is_found():
    with serve(lambda request: answer(status="500 Internal Server Error")) as server:
        assert find_ids(examine_site(Address.parse(server.url))) == ["site-fails"]


@pytest.mark.parametrize(
    ("url", "secure", "ids"),
    [
        ("http://shop.example", True, ["cookies-lost"]),
        ("http://shop.example", False, []),
        ("https://shop.example", False, ["cookies-insecure"]),
        ("https://shop.example", True, []),
    ],
)
def test_cookies_of_sessions_fit_the_scheme(settings, url, secure, ids):
    settings.SESSION_COOKIE_SECURE = secure
    assert find_ids(site._examine_cookies(Address.parse(url))) == ids


@pytest.mark.parametrize("text", ["shop.example", "ftp://shop.example", "https://", "/path"])
def test_address_that_is_none_is_named(text: Any):
    with pytest.raises(ValueError, match="is no address"):
        Address.parse(text)


def test_address_keeps_its_port_and_prefix():
    assert str(Address.parse("https://[::1]:8000/shop/")) == "https://[::1]:8000/shop"
