"""The examination of all parts of a deployment, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..checks import get_valid_settings
from .address import Address
from .cache import examine_cache
from .cache_server import examine_cache_server
from .finding import Finding, Level, Report, Result, name_error
from .layer import examine_layer
from .peer import PeerFailed, run_peer
from .settings_checks import examine_settings
from .sharing import SHARED, examine_sharing
from .shown import Shown, examine_shown_task
from .site import examine_site
from .staff import examine_staff
from .static import examine_static
from .stream import examine_own_streams, examine_protocol, examine_server, examine_shown_streams
from .workers import examine_workers

#: Findings of a cache that can't be examined further.
USELESS = {"cache-hangs", "cache-fails", "cache-keeps-nothing", "not-examined"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The facts of a deployment that the doctor is told.

    Attributes:
        processes: how many processes run the site and its workers; None: it is not known.
        url: the address of the site as its visitors type it; None: it is not looked at from outside.
        behind: addresses behind the proxy, of the server itself for example, the innermost first.
        shown: a task of the site to watch; None: the doctor makes one of its own if it has the cache of the site.
        hold: the seconds for which a stream is watched while nothing changes; None: a little more than KEEPALIVE.
    """

    processes: int | None = None
    url: Address | None = None
    behind: Sequence[Address] = ()
    shown: Shown | None = None
    hold: float | None = None


def examine(options: Options) -> Report:
    """Examine a deployment, and return what was found; nothing is raised, and nothing is left behind."""
    parts = {"settings": _collect(lambda: examine_settings(processes=options.processes))}
    if get_valid_settings() is None or "tasks_app.E005" in _find_ids(parts["settings"]):
        return Report(parts)
    parts["staff"] = _collect(examine_staff)
    parts["cache"] = _collect(examine_cache)
    is_shared = False
    if not _find_ids(parts["cache"]) & USELESS:
        parts["cache server"] = _collect(examine_cache_server)
        parts["other processes"] = _collect(lambda: _examine_processes(options))
        is_shared = SHARED in parts["other processes"]
    if is_shared:
        parts["workers"] = _collect(examine_workers)
    parts["static files"] = _collect(examine_static)
    if (url := options.url) is not None:
        parts["site"] = _collect(lambda: examine_site(url))
        if _is_answering(parts["site"]):
            parts["stream"] = _collect(lambda: _examine_streams(url, options, has_cache=is_shared))
    return Report(parts)


def _examine_processes(options: Options) -> Iterator[Result]:
    try:
        with run_peer() as peer:
            found = list(examine_sharing(peer, processes=options.processes))
            yield from found
            yield from examine_layer(peer, is_shared=SHARED in found, processes=options.processes)
    except PeerFailed as error:
        yield Finding(
            id="peer-fails",
            level=Level.UNKNOWN,
            what=f"Another process of the site could not be asked: {error}.",
            cure="Run the command where the site can start, with DJANGO_SETTINGS_MODULE set.",
        )


def _examine_streams(url: Address, options: Options, *, has_cache: bool) -> Iterator[Result]:
    addresses = [*options.behind, url]
    yield from examine_protocol(url)
    if options.shown is not None:
        yield from examine_shown_task(url, options.shown)
        yield from examine_shown_streams(addresses, options.shown, hold=options.hold)
    elif has_cache:
        yield from examine_own_streams(addresses, hold=options.hold)
    else:
        yield from examine_server(url)
        yield Finding(
            id="stream-not-watched",
            level=Level.UNKNOWN,
            what="No stream could be watched: this process does not have the cache of the site.",
            cure="Run this again with --task and the id of a task that runs for another minute: the page has it as "
            "'task-id', and the answer to its start as 'task_id'.",
        )


def _is_answering(results: tuple[Result, ...]) -> bool:
    """Return whether the app itself has answered: none of the findings says that something else did, or nothing."""
    return not any(name.startswith("site-") or name == "not-examined" for name in _find_ids(results))


def _collect(examine_part: Callable[[], Iterator[Result]]) -> tuple[Result, ...]:
    """Return what is found of one part; an error of the examination itself is a finding."""
    results: list[Result] = []
    try:
        results.extend(examine_part())
    except Exception as error:  # whatever servers and the code of the site raise
        results.append(
            Finding(
                id="not-examined",
                level=Level.UNKNOWN,
                what=f"This part could not be looked at to its end: {name_error(error)}.",
            )
        )
    return tuple(results)


def _find_ids(results: tuple[Result, ...]) -> set[str]:
    return {item.id for item in results if isinstance(item, Finding)}
