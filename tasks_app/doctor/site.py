"""The answers of the site to single requests, and the marks that proxies and settings leave on them."""

import secrets
import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urljoin, urlsplit

from django.conf import settings
from django.templatetags.static import static
from django.urls import NoReverseMatch

from ..http import find_parameters, make_url
from .address import UNREACHABLE, Address, Answer
from .finding import Finding, Level, Result, name_error
from .hops import name_hop
from .static import SCRIPT
from .time_limit import NotInTime

#: The most seconds that two clocks may be apart.
APART = 3.0

#: The origin of a page that is not of the site.
STRANGER = "https://stranger.invalid"

#: The Content-Types with which browsers run a script.
SCRIPT_TYPES = ("text/javascript", "application/javascript", "application/x-javascript")

DOWN = Finding(
    id="site-down",
    level=Level.ERROR,
    what="{url} answers {status}: {hop} does not reach the site.",
    cure="Start the server of the site, and see whether the proxy passes requests to its address.",
)
UNKNOWN_HOST = Finding(
    id="site-refuses-host",
    level=Level.ERROR,
    what="{url} answers 400: it may not know its own name, {host!r}.",
    cure="Add it to ALLOWED_HOSTS, and have the proxy pass on the Host of the request.",
)
FORBIDS = Finding(
    id="site-forbids",
    level=Level.ERROR,
    what="{url} answers {status} before the app is asked: a proxy or a middleware lets nobody in.",
    cure="Let requests to the paths of this app pass: it asks for permission itself.",
)
FAILS = Finding(id="site-fails", level=Level.ERROR, what="{url} answers {status}.", cure="See the log of the site.")

#: What each status of an answer says that does not come from the app.
STRANGE_ANSWERS = {400: UNKNOWN_HOST, 401: FORBIDS, 403: FORBIDS, 407: FORBIDS, 502: DOWN, 503: DOWN, 504: DOWN}


def examine_site(address: Address) -> Iterator[Result]:
    """Yield what is wrong with how the site answers at an address; if it does not, that is all."""
    try:
        path = quote(make_url("task", f"doctor-{secrets.token_hex(16)}"))
    except NoReverseMatch:
        names = find_parameters()
        yield _below(names) if names else _not_included("The URLs of this app are not in ROOT_URLCONF")
        return
    before = time.time()
    try:
        answer = address.fetch(path, headers={"Origin": STRANGER})
    except (*UNREACHABLE, NotInTime) as error:
        yield _unreachable(address, error)
        return
    if not (answer.status == 404 and answer.is_problem):
        yield _explain(address, path, answer)
        return
    yield from _examine_clock(address, answer, before)
    yield from _examine_cors(address, answer)
    yield from _examine_cookies(address)
    yield from _examine_csrf(address, path)
    yield from _examine_script(address)


def _unreachable(address: Address, error: Exception) -> Finding:
    return Finding(
        id="site-unreachable",
        level=Level.ERROR,
        what=f"{address} can't be reached: {name_error(error)}.",
        cure=UNTRUSTED if isinstance(error, ssl.SSLCertVerificationError) else UNREACHED,
    )


UNREACHED = "See whether the server runs, and whether the address and the firewall let this machine in."
UNTRUSTED = (
    "Renew the certificate, and have the server send all of its chain. If an authority of your own has signed it, or "
    "nobody but itself, name the file of that certificate by the environment variable SSL_CERT_FILE."
)


def _not_included(what: str) -> Finding:
    return Finding(
        id="site-without-urls",
        level=Level.ERROR,
        what=f"{what}: no page finds a task.",
        cure='Add path("", include("tasks_app.urls")) to the URLs of the site, and have the proxy pass on all paths.',
    )


def _below(parameters: list[str]) -> Finding:
    return Finding(
        id="site-below-parameters",
        level=Level.UNKNOWN,
        what=f"The site could not be looked at: the URLs of this app have parameters before them, {parameters!r}, "
        "whose values only requests have.",
    )


def _explain(address: Address, path: str, answer: Answer) -> Finding:
    """Return what an answer says that does not come from the app; an unknown task is to be answered with 404."""
    if 300 <= answer.status < 400:
        return _redirects(address, path, answer.headers.get("location", ""))
    known = STRANGE_ANSWERS.get(answer.status, FAILS if answer.status >= 500 else None)
    if known is None:
        return _not_included(f"{address}{path} is answered with {answer.status!r}, and not by this app")
    return known.fill(url=address, host=address.host, status=answer.status, hop=name_hop(answer.headers) or "a proxy")


def _redirects(address: Address, path: str, location: str) -> Finding:
    target = urlsplit(urljoin(f"{address}{path}", location))
    if target.scheme == "https" and address.scheme == "http" and target.path == urlsplit(f"{address}{path}").path:
        return Finding(
            id="site-redirects-https",
            level=Level.WARNING,
            what=f"{address} leads to https: what scripts post there is lost, and nothing else could be looked at.",
            cure=f"Use --url https://{target.netloc}{address.prefix}, and that address in scripts.",
        )
    return Finding(
        id="site-redirects",
        level=Level.ERROR,
        what=f"{address} leads requests of this app to {target.geturl()!r}: neither components nor scripts follow "
        "that.",
        cure="Let requests to the paths of this app pass without a login or another redirect: it asks for permission "
        "itself, and answers 401 or 404. Django's own LoginRequiredMiddleware lets them pass.",
    )


def _examine_clock(address: Address, answer: Answer, before: float) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:  # the server does not tell
        return
    if (apart := max(before - 1 - theirs, theirs - time.time())) > APART:
        yield Finding(
            id="clocks-apart",
            level=Level.WARNING,
            what=f"The clock of {address} and that of this machine are {apart:.0f} s apart.",
            cure="Have all machines set their clocks by NTP: the ends of tokens, and what people see, go by them.",
        )


def _examine_cors(address: Address, answer: Answer) -> Iterator[Finding]:
    allowed = answer.headers.get("access-control-allow-origin")
    if allowed == STRANGER and answer.headers.get("access-control-allow-credentials") == "true":
        yield Finding(
            id="cors-open",
            level=Level.WARNING,
            what=f"{address} lets the pages of any site read what its users see: it answers a stranger's Origin with "
            "'Access-Control-Allow-Credentials: true'.",
            cure="Name the origins that may: CORS_ALLOWED_ORIGINS of django-cors-headers, or those of the proxy.",
        )


def _examine_cookies(address: Address) -> Iterator[Finding]:
    """See whether the cookies of sessions are sent to an address like this."""
    if address.scheme == "http" and settings.SESSION_COOKIE_SECURE:
        yield Finding(
            id="cookies-lost",
            level=Level.WARNING,
            what=f"SESSION_COOKIE_SECURE is on, so nobody is logged in at {address}: users see no task of theirs.",
            cure="Have people use https, and examine that address.",
        )
    if address.scheme == "https" and not settings.SESSION_COOKIE_SECURE:
        yield Finding(
            id="cookies-insecure",
            level=Level.WARNING,
            what=f"SESSION_COOKIE_SECURE is off: a request by http to {address.host!r} gives the session of a user "
            "away.",
            cure="Set SESSION_COOKIE_SECURE and CSRF_COOKIE_SECURE to True.",
        )


def _examine_csrf(address: Address, path: str) -> Iterator[Finding]:
    """See whether the site takes its own origin for its own, and no other; the task that is to be cancelled is "
    "none."""
    if not _takes(address, path, address.origin):
        taken = next((origin for origin in address.list_mistaken_origins() if _takes(address, path, origin)), None)
        yield _refuses_itself(address, taken)
    if _post(address, path, STRANGER).status != 403:
        yield Finding(
            id="csrf-foreign-origin",
            level=Level.WARNING,
            what=f"{address} does not refuse what a page of another site sends: a proxy takes out the Origin of "
            "requests.",
            cure="Have the proxy pass on the header Origin, and trust no pattern of all sites in "
            "CSRF_TRUSTED_ORIGINS.",
        )


def _post(address: Address, path: str, origin: str) -> Answer:
    return address.fetch(f"{path}/cancel", method="POST", headers={"Origin": origin, "Content-Length": "0"})


def _takes(address: Address, path: str, origin: str) -> bool:
    """Return whether the site takes a page of this origin for its own."""
    answer = _post(address, path, origin)
    return not (answer.status == 403 and b"CSRF" in answer.body)


def _refuses_itself(address: Address, taken: str | None) -> Finding:
    """Return the finding of a site that does not know its own origin.

    Args:
        taken: the origin for which it takes itself; None: it is not known.
    """
    seen = "" if taken is None else f" By the Host and scheme that reach it, it is {taken!r}."
    return Finding(
        id="csrf-own-origin",
        level=Level.WARNING,
        what=f"{address} does not take its own pages for its own: users can neither start nor cancel tasks.{seen}",
        cure="Have the proxy pass on Host with its port, and X-Forwarded-Proto, and set SECURE_PROXY_SSL_HEADER. In "
        "nginx: 'proxy_set_header Host $http_host;' ($host leaves out the port). Or add "
        f"{address.origin!r} to CSRF_TRUSTED_ORIGINS.",
    )


def _examine_script(address: Address) -> Iterator[Finding]:
    """See whether the script of the component is served; a site without template engines needs none."""
    if not settings.TEMPLATES:
        return
    url = urlsplit(urljoin(f"{address}/", static(SCRIPT)))
    origin = Address.parse(f"{url.scheme}://{url.netloc}")
    answer = origin.fetch(url.path)
    kind = answer.headers.get("content-type", "")
    if answer.status != 200 or not kind.startswith(SCRIPT_TYPES):
        yield Finding(
            id="static-not-served",
            level=Level.ERROR,
            what=f"{url.geturl()} is answered with {answer.status!r} and the Content-Type {kind!r}: no component "
            "comes to life.",
            cure="Add WhiteNoise's middleware, or let the proxy serve STATIC_ROOT, and run 'manage.py collectstatic'.",
        )
