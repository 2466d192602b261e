"""The nginx of docs/security.md, as it stands there, in front of a site with every limit."""

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import wire
from tests.support.certificates import make_certificate, needs_openssl
from tests.support.nginx import Proxy, needs_nginx, run_configuration, run_nginx
from tests.support.readme import find_block
from tests.support.servers import Server, find_free_port, run_daphne
from tests.support.waiting import wait_until
from tests.support.wrapped import WRAPPED

pytestmark = [pytest.mark.slow, needs_nginx]

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.support.hostile_settings"}
SNIPPET = find_block("nginx", "limit_conn_zone", document="docs/security.md")

#: How long its line of requests is.
LINE = "burst=200 delay=100"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with run_daphne(WRAPPED, env=SETTINGS, options=["--proxy-headers"]) as server:
        yield server


@pytest.fixture
def proxy(server: Server, tmp_path: Path) -> Iterator[Proxy]:
    """The proxy of the document, whose counts begin with each test."""
    with run_configuration(tmp_path, SNIPPET, {"/var/log/nginx": str(tmp_path), ":8000": f":{server.port}"}) as proxy:
        yield proxy


def start(proxy: Proxy, name: str) -> dict[str, Any]:
    return wire.post_json(proxy.port, "/start-task", {"task": name}).json()


def read_logs(proxy: Proxy) -> str:
    return "".join(path.read_text() for path in proxy.folder.glob("*.log"))


def test_stream_goes_through_and_no_log_has_its_token(proxy):
    started = start(proxy, "count")
    with wire.EventStream(proxy.port, f"{started['progress_url']}?token={started['token']}") as stream:
        assert stream.read_all()[-1].type == "end"
    wait_until(lambda: started["progress_url"] in read_logs(proxy), "the stream is in the log")
    assert "token" not in read_logs(proxy)


def test_refusals_and_a_site_that_is_away_leave_no_token_in_a_log(server, tmp_path):
    places = {"/var/log/nginx": str(tmp_path), ":8000": ":1", LINE: "burst=1 nodelay"}
    with run_configuration(tmp_path, SNIPPET, places) as proxy:
        statuses = {wire.send(proxy.port, "GET", "/task-progress/x?token=secret").status for _ in range(10)}
        assert statuses == {429, 502}
        wait_until(lambda: " 429 " in read_logs(proxy), "the refusal is in the log")
        assert "secret" not in read_logs(proxy)


@pytest.fixture
def siteless(tmp_path) -> Iterator[Proxy]:
    """The proxy without a site, which would answer too slowly where much else runs: what passes is answered 502.

    Its limit of connections, which counts what a slow machine has not answered yet, is out of reach.
    """
    places = {"/var/log/nginx": str(tmp_path), ":8000": ":1", "connections 100": "connections 1000"}
    with run_configuration(tmp_path, SNIPPET, places) as proxy:
        yield proxy


def ask_at_once(proxy: Proxy, requests: int) -> list[int]:
    """Return the statuses of so many requests, none of which waits for another."""
    with ExitStack() as stack:
        connections = [stack.enter_context(wire.Connection(proxy.port)) for _ in range(requests)]
        for connection in connections:
            connection.send(wire.encode_request("GET", "/tasks/x"))
        return [connection.read_head().status for connection in connections]


def test_requests_that_come_at_once_wait_in_line(siteless):
    assert set(ask_at_once(siteless, 130)) == {502}


def test_requests_above_the_line_are_refused(siteless):
    assert set(ask_at_once(siteless, 300)) == {502, 429}


def test_site_refuses_streams_before_the_proxy_does(proxy):
    started = start(proxy, "wait")
    headers = [("Accept", "text/event-stream"), ("Cache-Control", "no-cache")]
    with ExitStack() as stack:
        for _ in range(50):
            stream = stack.enter_context(wire.EventStream(proxy.port, started["progress_url"], headers))
            assert stream.next().type == "message"
        refused = stack.enter_context(wire.EventStream(proxy.port, started["progress_url"], headers))
        assert refused.next().type == "refused"


def test_connections_above_the_limit_are_refused(server, tmp_path):
    places = {"/var/log/nginx": str(tmp_path), ":8000": f":{server.port}", LINE: "burst=100000 nodelay"}
    with run_configuration(tmp_path, SNIPPET, places) as proxy, ExitStack() as stack:
        for _ in range(100):
            slow = stack.enter_context(wire.Connection(proxy.port))
            slow.send(b"POST /start-task HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        wait_until(lambda: wire.send(proxy.port, "GET", "/tasks/x").status == 429, "too many are open", deadline=8)


def test_body_that_is_too_large_is_refused_before_the_site_reads_it(proxy):
    head = b"POST /start-task HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n"
    assert wire.send_raw(proxy.port, head).status == 413


def test_upload_to_the_rest_of_the_site_passes(proxy):
    response = wire.send(proxy.port, "POST", "/upload/", body=b"x" * 200_000)
    assert response.status not in (413, 429)


def test_rest_of_the_site_has_no_rate(siteless):
    assert {wire.send(siteless.port, "GET", "/static/x.js").status for _ in range(160)} == {502}


@pytest.fixture(params=["document", "demo site"])
def each_proxy(request, server: Server, proxy: Proxy, tmp_path_factory) -> Iterator[Proxy]:
    """The proxy of the document, and that of the demo site."""
    if request.param == "document":
        yield proxy
        return
    with run_nginx(tmp_path_factory.mktemp("demo"), server.port, server.port) as demo:
        yield demo


def test_page_of_the_site_is_its_own_on_any_port(each_proxy):
    own = f"127.0.0.1:{each_proxy.port}"
    head = f"POST /start-task HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\nContent-Length: 0\r\n\r\n"
    assert wire.send_raw(each_proxy.port, head.encode()).status == 202


@needs_openssl
def test_https_that_the_comments_name_offers_http_2(server, tmp_path):
    certificate, port = make_certificate(tmp_path), find_free_port()
    secure = re.sub(r"^    # (listen 443|ssl_)", r"    \1", SNIPPET, flags=re.MULTILINE)  # as any nginx takes it
    places = {
        "/var/log/nginx": str(tmp_path),
        ":8000": f":{server.port}",
        "443 ssl": f"127.0.0.1:{port} ssl http2",
        "/etc/ssl/mysite.pem": str(certificate),
        "/etc/ssl/mysite.key": str(certificate.parent / "key.pem"),
    }
    context = ssl.create_default_context(cafile=certificate)
    context.set_alpn_protocols(["h2"])
    with (
        run_configuration(tmp_path, secure, places),
        socket.create_connection(("127.0.0.1", port)) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as secured,
    ):
        assert secured.selected_alpn_protocol() == "h2"


@pytest.mark.parametrize(
    "request_bytes",
    [b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"POST /start-task HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1"],
    ids=["head", "body"],
)
def test_requests_that_never_end_are_ended(server, tmp_path, request_bytes):
    snippet = re.sub(r"(client_\w+_timeout) 10s", r"\1 1s", SNIPPET)
    places = {"/var/log/nginx": str(tmp_path), ":8000": f":{server.port}"}
    with run_configuration(tmp_path, snippet, places) as proxy, wire.Connection(proxy.port) as connection:
        connection.send(request_bytes)
        received = b"".join(iter(lambda: connection.socket.recv(1 << 16), b""))
    assert received == b"" or b" 408 " in received


def test_client_can_not_choose_the_address_that_its_limits_go_by(each_proxy):
    target = start(each_proxy, "wait")["progress_url"]
    statuses = []
    with ExitStack() as stack:
        for number in range(52):
            connection = stack.enter_context(wire.Connection(each_proxy.port))
            connection.send(wire.encode_request("GET", target, [("X-Forwarded-For", f"192.0.2.{number}")]))
            statuses.append(connection.read_head().status)
    assert statuses[50:] == [429, 429]
