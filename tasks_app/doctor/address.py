"""The address of a site, and single requests to it, by the standard library: no client of HTTP is needed."""

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlsplit

from .time_limit import call

#: The longest that a connection may take, and an answer, in seconds.
CONNECT_SECONDS, ANSWER_SECONDS = 8.0, 10.0

#: The most that is read of an answer, in bytes.
MAX_BODY = 1_000_000

#: What a request to a site that can't be reached raises.
UNREACHABLE = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_problem(self) -> bool:
        """Whether the app itself answers that something is wrong."""
        return self.headers.get("content-type", "").startswith("application/problem+json")


@dataclass(frozen=True, slots=True)
class Address:
    """An address of the site.

    Attributes:
        prefix: the path below which the site is; empty, or beginning with a slash.
    """

    scheme: str
    host: str
    port: int | None
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address in a text such as "https://shop.example".

        Raises:
            ValueError: it is none.
        """
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{text!r} is no address; it must be such as 'https://shop.example'")
        return cls(parts.scheme, parts.hostname, parts.port, parts.path.rstrip("/"))

    @property
    def origin(self) -> str:
        """The scheme, host and port, as a browser writes them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")

    def list_mistaken_origins(self) -> list[str]:
        """Return the origins for which the site may take itself where a proxy hides the port or the scheme."""
        schemes, ports = dict.fromkeys([self.scheme, "http", "https"]), dict.fromkeys([self.port, None])
        origins = [replace(self, scheme=scheme, port=port).origin for scheme in schemes for port in ports]
        return [origin for origin in origins if origin != self.origin]

    def __str__(self) -> str:
        return self.origin + self.prefix

    def connect(self) -> http.client.HTTPConnection:
        """Return an open connection.

        Raises:
            OSError: there is none within CONNECT_SECONDS.
        """
        connection = (
            http.client.HTTPSConnection(
                self.host, self.port, timeout=CONNECT_SECONDS, context=ssl.create_default_context()
            )
            if self.scheme == "https"
            else http.client.HTTPConnection(self.host, self.port, timeout=CONNECT_SECONDS)
        )
        connection.connect()
        return connection

    def offers_http2(self) -> bool:
        """Return whether browsers are offered HTTP/2, which they take where they can.

        Raises:
            OSError: there is no connection within CONNECT_SECONDS.
        """
        if self.scheme != "https":
            return False
        context = ssl.create_default_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection((self.host, self.port or 443), CONNECT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=self.host) as secure,
        ):
            return secure.selected_alpn_protocol() == "h2"

    def fetch(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """Return the answer to a request; no redirect is followed.

        Args:
            path: that of the URL, below the prefix.

        Raises:
            OSError, http.client.HTTPException: the site can't be reached.
            NotInTime: it has not answered within ANSWER_SECONDS.
        """
        return call(self._fetch, path, method, headers or {}, seconds=ANSWER_SECONDS)

    def _fetch(self, path: str, method: str, headers: Mapping[str, str]) -> Answer:
        connection = self.connect()
        try:
            connection.request(method, self.prefix + path, headers=dict(headers))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read(MAX_BODY))
        finally:
            connection.close()
