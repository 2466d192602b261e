"""The channel layer, by which processes tell each other of changes: what one sends, the other is to hear at once."""

import asyncio
import secrets
import statistics
import time
from collections.abc import Iterator

from ..conf import get_settings
from ..wakeups import ADVISED, find_layer_flaw, get_layer, has_layer, is_in_memory
from .finding import Figure, Finding, Level, Result, name_error
from .judgement import SWEEPS
from .peer import Peer

#: Messages that are sent, and the longest that one may take, in seconds.
MESSAGES, MESSAGE_SECONDS = 5, 5.0

#: A message whose median takes longer, in seconds, is a finding.
SLOW = 0.1


def examine_layer(peer: Peer, *, is_shared: bool, processes: int | None) -> Iterator[Result]:
    """Yield whether the layer of TASKS_APP carries messages to another process, and how fast.

    Args:
        is_shared: whether processes share the cache; otherwise there is nothing to tell each other of.
        processes: how many processes run the site and its workers, as far as is known.
    """
    alias = get_settings().CHANNEL_LAYER
    if find_layer_flaw() is not None:  # a system check says so
        return
    if has_layer():
        yield from _examine(alias, peer)
    elif is_shared and processes != 1:
        yield _not_between_processes(alias)


def _not_between_processes(alias: str) -> Finding:
    """Return the finding of a layer that is missing, which is fine, or in memory, which is hardly meant."""
    latest = SWEEPS * get_settings().SWEEP_INTERVAL
    late = f"what changes in one process is seen in others within {latest:g} s, {SWEEPS!r} times SWEEP_INTERVAL."
    cure = f"For changes within milliseconds, set it to {ADVISED}."
    if is_in_memory():
        what = f"CHANNEL_LAYERS[{alias!r}] is in the memory of each process: {late}"
        return Finding(id="layer-in-memory", level=Level.WARNING, what=what, cure=cure)
    return Finding(id="layer-missing", level=Level.NOTE, what=f"CHANNEL_LAYERS is not set: {late}", cure=cure)


def _examine(alias: str, peer: Peer) -> Iterator[Result]:
    group = f"tasks_app.doctor.{secrets.token_hex(8)}"
    try:
        peer.ask({"order": "listen", "group": group, "count": MESSAGES, "seconds": MESSAGE_SECONDS})
        durations = asyncio.run(_measure(group, peer))
    except Exception as error:  # whatever a layer raises, here or in the other process
        yield Finding(
            id="layer-fails",
            level=Level.WARNING,
            what=f"CHANNEL_LAYERS[{alias!r}] fails: {name_error(error)}.",
            cure="See whether its server runs, and can be reached under the hosts that CHANNEL_LAYERS names.",
        )
        return
    heard = [duration for duration in durations if duration is not None]
    if len(heard) < MESSAGES:
        yield Finding(
            id="layer-silent",
            level=Level.WARNING,
            what=f"CHANNEL_LAYERS[{alias!r}] has delivered {len(heard)!r} of {MESSAGES!r} messages to another process "
            "of the site: what changes is seen late.",
            cure="Give all processes the same layer: the same server, database number and prefix. Django Channels has "
            "channels_redis for that.",
        )
    else:
        yield from _judge_speed(alias, statistics.median(heard))


def _judge_speed(alias: str, median: float) -> Iterator[Result]:
    yield Figure(name="message", value=round(median * 1000, 2), unit="ms")
    if median > SLOW:
        yield Finding(
            id="layer-slow",
            level=Level.WARNING,
            what=f"CHANNEL_LAYERS[{alias!r}] takes {median * 1000:.0f} ms for a message: what changes is seen late.",
            cure="Move the layer closer to the site, or take load off its server.",
        )


async def _measure(group: str, peer: Peer) -> list[float | None]:
    """Return how long each message took to the other process, in seconds; None for one that it has not heard."""
    layer, durations = get_layer(), list[float | None]()
    for number in range(MESSAGES):
        began = time.perf_counter()
        async with asyncio.timeout(MESSAGE_SECONDS):
            await layer.group_send(group, {"type": "tasks_app.doctor", "number": number})
        reply = await asyncio.to_thread(peer.wait)
        durations.append(time.perf_counter() - began if reply["heard"] == number else None)
        if reply["heard"] is None:
            break
    return durations
