"""The judgement of a watched stream: the way from the site to its viewers. Pure."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .finding import Figure, Finding, Level, Result
from .hops import find_cure, has_lost_its_request, name_hop

#: A change that takes longer, in sweeps and seconds on top, is held back: a sweep leaves out what was read since
#: the one before.
SWEEPS, HELD = 2, 1.5

#: The figure of how long a change takes.
SPEED = "change"

#: Suspects that the site does not run under ASGI, where there are no streams.
UNDER_ASGI = "tasks_app.W002"

#: A layer's wake-ups are faster than this part of SWEEP_INTERVAL, and than this many seconds.
PROMPT_PART, PROMPT = 0.4, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The record of a watched stream; all times are in seconds.

    Attributes:
        status, headers: those of the answer. While it has not begun: 0, and the headers of another answer from there.
        first: after how long the first bytes came; None: they never did.
        latencies: how long each change took to arrive, or how much later it came than elsewhere; None: it never did.
        lasted: how long the stream was open when the site, or a hop, cut it; None: it was not cut.
        idle: how long it had been silent by then.
        is_released: whether its first bytes came late, and with the end of the task.
        error: how it broke before it was answered; empty if it did not.
    """

    status: int
    headers: Mapping[str, str]
    first: float | None
    latencies: Sequence[float | None] = ()
    lasted: float | None = None
    idle: float = 0.0
    is_released: bool = False
    error: str = ""

    def is_held(self, *, sweep: float) -> bool:
        """Whether something on the way keeps back what the site sends.

        Args:
            sweep: SWEEP_INTERVAL.
        """
        if self.status not in (0, 200) or self.error or (self.lasted is not None and self.first is not None):
            return False
        return self.is_released or any(value is None or value > find_limit(sweep) for value in self._list_times())

    def _list_times(self) -> list[float | None]:
        return [self.first, *self.latencies]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The promises that the settings of the site make to its viewers.

    Attributes:
        sweep, keepalive: SWEEP_INTERVAL and KEEPALIVE.
        has_layer: whether a channel layer connects its processes.
    """

    sweep: float
    keepalive: float
    has_layer: bool


def find_limit(sweep: float) -> float:
    """Return the seconds from which on what arrives is late."""
    return SWEEPS * sweep + HELD


def judge(
    url: str, watched: Watched, expected: Expected, inner: tuple[str, Watched] | None = None
) -> Iterator[Result]:
    """Yield what is wrong with a stream.

    Args:
        inner: another address, behind a proxy, with the record of the same stream there.
    """
    if not watched.status:
        yield _unanswered(url, watched, expected, inner)
        return
    if watched.first is not None:
        yield Figure(name="first frame", value=round(watched.first * 1000, 1), unit="ms", refutes=[UNDER_ASGI])
    known = [value for value in watched.latencies if value is not None]
    if known:
        yield Figure(name=SPEED, value=round(statistics.median(known) * 1000, 1), unit="ms")
    yield from _judge_headers(url, watched)
    if watched.is_held(sweep=expected.sweep):
        yield _held(url, watched, expected, inner)
    elif watched.lasted is not None:
        yield _cut(url, watched, expected)
    elif expected.has_layer and _find_usual(known) > max(PROMPT_PART * expected.sweep, PROMPT):
        yield _not_heard(url, _find_usual(known))


def _find_usual(latencies: Sequence[float]) -> float:
    """Return the longest of some latencies but one, which may be by chance; 0 if there are not two."""
    return sorted(latencies)[-2] if len(latencies) > 1 else 0.0


def _judge_headers(url: str, watched: Watched) -> Iterator[Finding]:
    encoding = watched.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        yield Finding(
            id="stream-compressed",
            level=Level.WARNING,
            what=f"Streams of {url} come compressed ({encoding}): what compresses waits for more, and some clients "
            f"can't read it. {_describe_hop(watched)}",
            cure="Compress no responses of the type text/event-stream. The site asks for that by 'Content-Encoding: "
            "identity' and 'Cache-Control: no-transform', which must not be taken out on the way.",
        )
    kind = watched.headers.get("content-type", "")
    if not kind.startswith("text/event-stream"):
        yield Finding(
            id="stream-wrong-type",
            level=Level.ERROR,
            what=f"Streams of {url} come with the Content-Type {kind!r}: an EventSource refuses them.",
            cure="Have the proxy leave the Content-Type as the site sends it: text/event-stream.",
        )


def _held(url: str, watched: Watched, expected: Expected, inner: tuple[str, Watched] | None) -> Finding:
    return Finding(
        id="stream-held",
        level=Level.ERROR,
        what=f"Something holds back the streams of {url} ({_describe_delay(watched, expected)}): bars stand still. "
        f"{_blame(watched, expected, inner)}",
        cure=find_cure(name_hop(watched.headers)),
    )


def _describe_delay(watched: Watched, expected: Expected) -> str:
    if watched.first is None:
        return "nothing arrived"
    if watched.is_released or watched.first > find_limit(expected.sweep):
        together = ", with the end of the task" if watched.is_released else ""
        return f"the first frame came after {watched.first:.1f} s{together}"
    arrived = [value for value in watched.latencies if value is not None]
    if len(arrived) == len(watched.latencies):
        return "late"
    return f"{len(arrived)!r} of {len(watched.latencies)!r} changes arrived while the stream was open"


def _unanswered(url: str, watched: Watched, expected: Expected, inner: tuple[str, Watched] | None) -> Finding:
    if watched.error:
        return Finding(
            id="stream-unanswered",
            level=Level.ERROR,
            what=f"The request to {url} for a stream was broken off without an answer: {watched.error}.",
            cure="See the logs of the site and of what stands before it.",
        )
    return Finding(
        id="stream-unanswered",
        level=Level.ERROR,
        what=f"{url} does not begin to answer the request for a stream: something waits for the end of the task, and "
        f"bars stand still. {_blame(watched, expected, inner)}",
        cure=find_cure(name_hop(watched.headers)),
    )


def _blame(watched: Watched, expected: Expected, inner: tuple[str, Watched] | None) -> str:
    """Return a sentence on which hop it is, by the timing at another address, or else by headers alone."""
    hop = name_hop(watched.headers)
    if inner is None:
        return f"{_describe_hop(watched)} Name the address of the server by --behind to know."
    url, other = inner
    if other.is_held(sweep=expected.sweep):
        return f"At {url} it is the same: it is the server, or a middleware of the site."
    if other.status != 200 or other.error:
        return f"{_describe_hop(watched)} What {url} answers is no stream."
    return f"At {url} they come at once, so it is what stands between{f', {hop}' if hop else ''}."


def _describe_hop(watched: Watched) -> str:
    hop = name_hop(watched.headers)
    if hop is not None:
        return f"The answer names {hop!r} on the way."
    if watched.status and watched.headers and has_lost_its_request(watched.headers):
        return "A hop has taken out 'X-Accel-Buffering', as nginx does."
    return "No header names a hop: it may be the server, or a middleware of the site."


def _cut(url: str, watched: Watched, expected: Expected) -> Finding:
    return Finding(
        id="stream-cut",
        level=Level.WARNING,
        what=f"The stream of {url} was cut after {watched.lasted or 0:.1f} s, of which it was silent for the last "
        f"{watched.idle:.1f} s. {_describe_hop(watched)}",
        cure=f"Have each hop keep silent connections for longer than KEEPALIVE, {expected.keepalive:g} s (nginx: "
        "proxy_read_timeout), or set KEEPALIVE to less than what cuts them.",
    )


def _not_heard(url: str, latency: float) -> Finding:
    return Finding(
        id="layer-not-heard",
        level=Level.WARNING,
        what=f"Changes reach the viewers at {url} after {latency:.2f} s: its processes do not hear the channel layer, "
        "and see them at their next sweep.",
        cure="Give all processes the same CHANNEL_LAYERS, with the same server, prefix and database number, and "
        "install its package everywhere.",
    )
