"""The judgement of the snapshots that came while a stream was watched: whether its task moves at all. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..snapshot import State
from .finding import Finding, Level

#: A task that changes nothing for so many seconds may do so because its job says nothing.
QUIET = 5.0

#: The fields of a snapshot by which its viewers see that something has changed.
SHOWN = ("state", "status", "current", "total", "percent", "stages", "meta")


def judge_task(snapshots: Sequence[Mapping[str, Any]], seconds: float, *, is_sound: bool) -> Iterator[Finding]:
    """Yield why a task does not move, as far as its snapshots tell.

    Args:
        snapshots: what came of it, the first one first; an empty object for a heartbeat.
        seconds: for how long it was to be watched.
        is_sound: whether its streams are.
    """
    seen = [snapshot for snapshot in snapshots if "state" in snapshot]
    if not seen:
        return
    if State(seen[-1]["state"]).is_terminal:
        yield _ended(seen, seconds)
    elif is_sound and seconds >= QUIET and len({_describe(snapshot) for snapshot in seen}) == 1:
        yield _waits(seconds) if seen[-1]["state"] == State.QUEUED else _says_nothing(seen[-1], seconds)


def _describe(snapshot: Mapping[str, Any]) -> str:
    return repr([snapshot.get(name) for name in SHOWN])


def _ended(seen: Sequence[Mapping[str, Any]], seconds: float) -> Finding:
    was_over = State(seen[0]["state"]).is_terminal
    when = "had ended before it was watched" if was_over else f"ended before it had been watched for {seconds:g} s"
    return Finding(
        id="task-ended",
        level=Level.UNKNOWN if was_over else Level.NOTE,
        what=f"The task {when} ({seen[-1]['state']}): what happens to its stream after that was not seen.",
        cure="Name a task that runs for another minute.",
    )


def _waits(seconds: float) -> Finding:
    return Finding(
        id="task-waits",
        level=Level.NOTE,
        what=f"In {seconds:g} s nobody has begun the task: it is queued.",
        cure="See whether a worker runs that takes tasks of its queue, and whether it is busy with others.",
    )


def _says_nothing(snapshot: Mapping[str, Any], seconds: float) -> Finding:
    current, total = snapshot.get("current"), snapshot.get("total")
    of = "without a total" if total is None else f"{current or 0:g} of {total:g}"
    return Finding(
        id="task-says-nothing",
        level=Level.NOTE,
        what=f"In {seconds:g} s the task ({snapshot['state']}, {of}) has changed nothing; its stream is sound.",
        cure="Look for 'progress was called in' in the log of the process that runs it: threads and pools of a job "
        "need progress.map() or progress.handle().bind(function). Otherwise the job reports nothing for so long.",
    )
