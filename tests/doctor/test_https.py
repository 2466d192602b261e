"""The doctor looks at sites by https, and says what is wrong with their certificate or with what they know of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks_app.doctor.address import Address
from tasks_app.doctor.site import examine_site
from tasks_app.doctor.stream import examine_own_streams, examine_protocol
from tests.support.certificates import make_certificate, needs_openssl
from tests.support.doctor import find_figures, find_ids
from tests.support.nginx import needs_nginx, run_configuration
from tests.support.servers import find_free_port

pytestmark = [needs_nginx, needs_openssl]

SITE = """
server {
    listen 80;
    listen 8100 ssl;
    listen 8101 ssl http2;
    ssl_certificate folder/certificate.pem;
    ssl_certificate_key folder/key.pem;
    location / { proxy_pass http://site; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https; }
}
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A certificate for this machine that nobody has signed but itself."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def addresses(outside, certificate: Path, tmp_path: Path) -> Iterator[dict[str, Address]]:
    """The site by https: with HTTP/1.1 alone, and with HTTP/2."""
    ports = {"http/1.1": find_free_port(), "h2": find_free_port()}
    places = {
        "8100 ssl": f"127.0.0.1:{ports['http/1.1']} ssl",
        "8101 ssl": f"127.0.0.1:{ports['h2']} ssl",
        "folder": str(certificate.parent),
        "http://site": str(outside.server),
    }
    with run_configuration(tmp_path, SITE, places):
        yield {name: Address.parse(f"https://127.0.0.1:{port}") for name, port in ports.items()}


@pytest.fixture
def address(addresses: dict[str, Address]) -> Address:
    return addresses["http/1.1"]


def test_certificate_that_nobody_trusts_is_named(address: Address):
    (finding,) = examine_site(address)
    assert (finding.id, "certificate verify failed" in finding.what) == ("site-unreachable", True)
    assert "SSL_CERT_FILE" in finding.cure


def test_site_that_is_not_told_of_https_takes_its_own_pages_for_strange(address: Address, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert find_ids(examine_site(address)) == ["cookies-insecure", "csrf-own-origin"]


def test_stream_by_https_is_sound(address: Address, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert find_ids(examine_own_streams([address], hold=0.1)) == []


@pytest.mark.parametrize(("protocol", "figures"), [("http/1.1", {}), ("h2", {"HTTP/2": "offered, and not looked at"})])
def test_protocol_in_which_no_stream_is_watched_is_told_of(addresses, protocol, figures, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert find_figures(examine_protocol(addresses[protocol])) == figures
