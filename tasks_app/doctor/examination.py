"""The examination of all parts of a deployment, one after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..checks import get_valid_settings
from .cache import examine_cache
from .cache_server import examine_cache_server
from .finding import Finding, Level, Report, Result
from .layer import examine_layer
from .peer import PeerFailed, run_peer
from .settings_checks import examine_settings
from .sharing import SHARED, examine_sharing
from .static import examine_static
from .workers import examine_workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the doctor is told of a deployment.

    Attributes:
        processes: how many processes run the site and its workers; None: it is not known.
    """

    processes: int | None = None


def examine(options: Options) -> Report:
    """Examine a deployment, and return what was found; nothing is raised, and nothing is left behind."""
    parts = {"settings": _collect(lambda: examine_settings(processes=options.processes))}
    if get_valid_settings() is None or "tasks_app.E005" in _find_ids(parts["settings"]):
        return Report(parts)
    parts["cache"] = _collect(examine_cache)
    if not _find_ids(parts["cache"]) & {"cache-hangs", "cache-fails", "cache-keeps-nothing", "not-examined"}:
        parts["cache server"] = _collect(examine_cache_server)
        parts["other processes"] = _collect(lambda: _examine_processes(options))
        if SHARED in parts["other processes"]:
            parts["workers"] = _collect(examine_workers)
    parts["static files"] = _collect(examine_static)
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
                what=f"This part could not be looked at to its end: {type(error).__name__}: {error}.",
            )
        )
    return tuple(results)


def _find_ids(results: tuple[Result, ...]) -> set[str]:
    return {item.id for item in results if isinstance(item, Finding)}
