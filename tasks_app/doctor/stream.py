"""The stream of a task, as a viewer gets it through all that stands before the site."""

import contextlib
import math
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

from ..conf import get_settings
from ..snapshot import State
from ..wakeups import has_layer
from .address import UNREACHABLE, Address
from .finding import Figure, Finding, Result, name_error
from .judgement import HELD, SPEED, SWEEPS, UNDER_ASGI, Expected, Watched, find_limit, judge
from .polling import Polling
from .probe_task import TIME_TO_LIVE, ProbeTask, keep_task
from .refused import explain_refusal
from .shown import Shown
from .standstill import judge_task
from .time_limit import NotInTime
from .watching import END, HEAD_SECONDS, Watching

#: The name of the endpoint.
STREAM = "task-progress"

#: Changes that are made to the task before one more at the end, and the time between two: a part of SWEEP_INTERVAL, so
#: that no more than one of them comes just before a sweep, and the most seconds.
CHANGES, GAP_PART, LONGEST_GAP = 5, 0.27, 3.0

#: For how long the stream is watched while nothing changes: so many times KEEPALIVE, and seconds.
PATIENCE_PART, PATIENCE = 1.25, 2.0

#: The longest pause between two heartbeats, in seconds: a part of the task's time to live.
LONGEST = TIME_TO_LIVE / 4

#: The longest that a change may take to arrive, in seconds on top of that of sweeps.
LATEST = 2.0

#: What is sent at once arrives within this time, in seconds.
TOGETHER = 0.5


def examine_own_streams(addresses: Sequence[Address], *, hold: float | None) -> Iterator[Result]:
    """Yield how changes of a task of the doctor's own reach viewers at each address, the innermost first.

    Args:
        hold: the seconds for which each stream is watched while nothing changes; None: a little more than KEEPALIVE.
    """
    inner: tuple[str, Watched] | None = None
    for address in addresses:
        with (
            keep_task() as task,
            Watching(
                address, Shown.of(task.task_id).make_path(STREAM), _make_headers(address, addresses[-1])
            ) as watching,
        ):
            latencies = _change(task, watching, range(CHANGES))
            _hold(watching, _find_hold(hold), task)
            if latencies and None not in latencies and not watching.is_over:
                latencies += _change(task, watching, [CHANGES])  # a hop may pass on what comes first, and no more
            watched = _record(watching, latencies)
            if not watched.status:
                watched = _let_end(task, watching, watched)
        yield from _name(address, addresses, _judge(address, watching, watched, inner, is_own=True))
        inner = (str(address), watched)


def examine_shown_streams(addresses: Sequence[Address], shown: Shown, *, hold: float | None) -> Iterator[Result]:
    """Yield how the stream of a task that the doctor can't change reaches viewers at each address.

    All are watched at once: the task may end, and what holds a stream back lets go of it then. What changes in it is
    known by asking the innermost address.
    """
    with contextlib.ExitStack() as stack:
        path = shown.make_path(STREAM)
        watchings = [
            stack.enter_context(Watching(address, path, _make_headers(address, addresses[-1])))
            for address in addresses
        ]
        polling = stack.enter_context(Polling(addresses[0], shown, _make_headers(addresses[0], addresses[-1])))
        _watch(watchings, _find_hold(hold))
        records = [
            _record_shown(watching, address, shown, _compare(polling, watching))
            for watching, address in zip(watchings, addresses, strict=True)
        ]
    found = list(_judge_all(addresses, watchings, records))
    yield from found
    is_sound = not any(isinstance(item, Finding) for item in found)
    yield from judge_task(watchings[0].read_snapshots(), _find_hold(hold), is_sound=is_sound)


def _judge_all(
    addresses: Sequence[Address], watchings: Sequence[Watching], records: Sequence[Watched]
) -> Iterator[Result]:
    inner: tuple[str, Watched] | None = None
    for address, watching, watched in zip(addresses, watchings, records, strict=True):
        found = _judge(address, watching, watched, inner, is_own=False)
        yield from _name(address, addresses, (item for item in found if not _is_speed(item)))
        inner = (str(address), watched)


def _is_speed(item: Result) -> bool:
    """Return whether this is the time of a change, which nobody knows of a task that others change."""
    return isinstance(item, Figure) and item.name == SPEED


def _watch(watchings: Sequence[Watching], hold: float) -> None:
    """Wait for the first frame of each stream, and then for what cuts those that have begun."""
    began = time.monotonic()
    for watching in watchings:
        watching.wait_for("data:", began + HEAD_SECONDS - time.monotonic())
    for watching in watchings:
        _hold(watching, began + hold - time.monotonic(), None)


def _compare(polling: Polling, watching: Watching) -> list[float | None]:
    """Return how much later each change came by a stream than by an answer, those of the last moments left out."""
    latest = time.monotonic() - find_limit(get_settings().SWEEP_INTERVAL)
    first = next((snapshot["seq"] for snapshot in watching.read_snapshots() if "seq" in snapshot), math.inf)
    made = {seq: at for seq, at in polling.list_changes().items() if seq > first and at < latest}
    arrived = {seq: watching.find_snapshot(seq) for seq in made}
    return [None if (at := arrived[seq]) is None else max(at - made[seq], 0.0) for seq in made]


def _record_shown(watching: Watching, address: Address, shown: Shown, latencies: Sequence[float | None]) -> Watched:
    watched = _record(watching, latencies)
    return watched if watched.status else replace(watched, headers=_ask_headers(address, shown))


def _ask_headers(address: Address, shown: Shown) -> Mapping[str, str]:
    """Return the headers of an answer that does not wait for the end of the task; empty if there is none."""
    with contextlib.suppress(*UNREACHABLE, NotInTime):
        return address.fetch(shown.make_path("task")).headers
    return {}


def _name(address: Address, addresses: Sequence[Address], results: Iterator[Result]) -> Iterator[Result]:
    """Yield results, in which figures of any but the outermost address name it."""
    for item in results:
        is_inner = isinstance(item, Figure) and address != addresses[-1]
        yield replace(item, name=f"{item.name} at {address}") if isinstance(item, Figure) and is_inner else item


def examine_server(address: Address) -> Iterator[Result]:
    """Yield whether the server can send streams at all, which it says of any task, known or not."""
    answer = address.fetch(Shown.of(f"doctor-{secrets.token_hex(16)}").make_path(STREAM))
    if answer.status == HTTPStatus.NOT_IMPLEMENTED:
        yield explain_refusal(str(address), answer.status, answer.body, is_own=False)
    elif answer.is_problem:
        yield Figure(name="interface", value="ASGI", refutes=[UNDER_ASGI])


def examine_protocol(address: Address) -> Iterator[Result]:
    """Yield whether browsers are offered a protocol in which no stream is watched."""
    if address.offers_http2():
        yield Figure(name="HTTP/2", value="offered, and not looked at")


def _make_headers(address: Address, outer: Address) -> dict[str, str]:
    """Return the headers with which a proxy passes on what it is asked at the outermost address."""
    if address == outer:
        return {}
    return {"Host": outer.origin.partition("://")[2], "X-Forwarded-Proto": outer.scheme}


def _find_hold(hold: float | None) -> float:
    return get_settings().KEEPALIVE * PATIENCE_PART + PATIENCE if hold is None else hold


def _change(task: ProbeTask, watching: Watching, numbers: Iterable[int]) -> list[float | None]:
    """Make the changes of these numbers once the stream is open, and return how long each took to arrive."""
    if watching.wait_for("data:", HEAD_SECONDS) is None:
        return []
    made: dict[str, float] = {}
    for number in numbers:
        made[status := f"change {number} of the doctor"] = time.monotonic()
        task.report(status)
        time.sleep(min(GAP_PART * get_settings().SWEEP_INTERVAL, LONGEST_GAP))
    watching.wait_for(status, SWEEPS * get_settings().SWEEP_INTERVAL + LATEST)
    return _find_latencies(made, watching)


def _find_latencies(made: dict[str, float], watching: Watching) -> list[float | None]:
    """Return after how long each change was seen, itself or by a later one: a snapshot has all that was before."""
    latencies: list[float | None] = []
    seen_at = math.inf
    for status, at in reversed(made.items()):
        seen_at = min(seen_at, watching.find(status) or math.inf)
        latencies.insert(0, seen_at - at if seen_at < math.inf else None)
    return latencies


def _let_end(task: ProbeTask, watching: Watching, watched: Watched) -> Watched:
    """End the task, since what holds a stream back lets go of it then, and return the record with what that tells."""
    task.end()
    watching.wait_for(END, SWEEPS * get_settings().SWEEP_INTERVAL + LATEST)
    return replace(watched, status=watching.status, headers=watching.headers)


def _hold(watching: Watching, seconds: float, task: ProbeTask | None) -> None:
    """Wait for bytes while nothing changes; the task has its heartbeats, so that it is not taken for lost."""
    end = time.monotonic() + seconds
    while watching.first_at is not None and not watching.is_over and (left := end - time.monotonic()) > 0:
        watching.wait_for_bytes(min(left, get_settings().HEARTBEAT, LONGEST))
        if task is not None:
            task.beat()


def _record(watching: Watching, latencies: Sequence[float | None]) -> Watched:
    end_at = watching.find(END)
    is_cut = watching.ended_at is not None and end_at is None
    ended = watching.ended_at or 0.0
    return Watched(
        status=watching.status,
        headers=watching.headers,
        first=None if watching.first_at is None else watching.first_at - watching.began,
        latencies=[value for value in latencies if value is not None] if is_cut else list(latencies),
        lasted=ended - watching.began if is_cut else None,
        idle=ended - watching.last_at if is_cut else 0.0,
        is_released=end_at is not None and _is_released(watching, end_at),
        error=name_error(watching.error) if watching.error is not None and not watching.status else "",
    )


def _is_released(watching: Watching, end_at: float) -> bool:
    """Return whether the end of the task came with a frame that was sent much earlier."""
    first_at = watching.first_at or watching.began
    is_late = first_at - watching.began > HELD and end_at - first_at < TOGETHER
    return is_late and not State(watching.read_snapshots()[0]["state"]).is_terminal


def _judge(
    address: Address, watching: Watching, watched: Watched, inner: tuple[str, Watched] | None, *, is_own: bool
) -> Iterator[Result]:
    settings = get_settings()
    hears = is_own and has_layer()  # how soon after a change somebody asks for a task of others is by chance
    expected = Expected(sweep=settings.SWEEP_INTERVAL, keepalive=settings.KEEPALIVE, has_layer=hears)
    if watched.status in (0, 200):
        yield from judge(str(address), watched, expected, inner)
    else:
        yield explain_refusal(str(address), watched.status, watching.body, is_own=is_own)
