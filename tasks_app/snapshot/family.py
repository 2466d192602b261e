"""A parent and its children, shown as one task: the sum of what is known of each. Pure.

The sum is made where it is read, from what each process has stored of its own tasks. It depends on nothing else, so
all who read the same make the same, with the same `seq`.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from .copying import replace
from .snapshot import Snapshot
from .state import DEFAULT_STATUS, GENERIC_TYPE, State, floor_percent

#: The `runner` of a parent that runs nothing itself.
BATCH = "batch"

#: The status of a parent whose children were still being sent when their sender fell silent.
SENDER_LOST = "Its sender stopped responding before all of it was sent"


class Part(NamedTuple):
    """The facts of a child that its parent shows.

    Attributes:
        percent: its progress, 0 to 100; 0 while that is unknown.
        changed_at: when it changed last.
    """

    state: State
    percent: float
    seq: int
    changed_at: datetime
    started_at: datetime | None = None
    is_stalled: bool = False

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Return the part that a child is; of one that is a parent itself, its sum."""
        return cls(
            snapshot.state,
            snapshot.percent or 0.0,
            snapshot.seq,
            snapshot.updated_at,
            snapshot.started_at,
            snapshot.stalled,
        )

    @classmethod
    def from_note(cls, note: object) -> Self | None:
        """Return the part that `to_note` described; None if it is of another shape."""
        match note:
            case [str(state), int() | float() as percent, int(seq), int() | float() as changed, started]:
                began = started if isinstance(started, int | float) else None
                try:
                    return cls(
                        State(state), percent, seq, _to_time(changed), None if began is None else _to_time(began)
                    )
                except (ValueError, OverflowError, OSError):
                    return None
        return None

    def to_note(self) -> list[Any]:
        """Return what is kept of a child that has ended, longer than its snapshot."""
        started = None if self.started_at is None else self.started_at.timestamp()
        return [str(self.state), self.percent, self.seq, self.changed_at.timestamp(), started]


def awaits_children(snapshot: Snapshot) -> bool:
    """Return whether this is a parent's own record, to which its children must be added before it is shown."""
    return snapshot.children is not None and not snapshot.is_summed


def runs_nothing(snapshot: Snapshot) -> bool:
    """Return whether a task is a parent that consists of its children alone."""
    return snapshot.runner == BATCH


def is_being_sent(snapshot: Snapshot) -> bool:
    """Return whether the children of a parent that runs nothing are still being sent, by a process that tells so."""
    return runs_nothing(snapshot) and snapshot.has_heartbeats


def as_whole(own: Snapshot, *, now: datetime) -> Snapshot:
    """Return the own record of a parent of which nothing is sent any more, so that its silence means nothing."""
    return replace(own, beat=None, written_at=None, seq=own.seq + 1, updated_at=now)


def as_lost(snapshot: Snapshot, *, now: datetime) -> Snapshot:
    """Return the terminal snapshot of a task whose process is gone; that of a parent was sending its children."""
    lost = snapshot.lost(now=now)
    return replace(lost, status=SENDER_LOST) if is_being_sent(snapshot) else lost


def is_note(snapshot: Snapshot) -> bool:
    """Return whether a snapshot is the end of a child, of which a note is kept for its parent."""
    return snapshot.parent is not None and snapshot.is_terminal and not awaits_children(snapshot)


def expect_children(snapshot: Snapshot, number: int, *, now: datetime) -> Snapshot:
    """Return the own record of a task that has so many children more, of which nothing is known yet."""
    total = number + (snapshot.children or {}).get("total", 0)
    return replace(snapshot, children=_to_wire(Counter(), total), seq=snapshot.seq + 1, updated_at=now)


def expect_total(snapshot: Snapshot, total: int, *, now: datetime) -> Snapshot:
    """Return the own record of a task that has at least so many children."""
    known = (snapshot.children or {}).get("total", 0)
    return expect_children(snapshot, total - known, now=now) if total > known else snapshot


def compose(
    own: Snapshot,
    children: Iterable[tuple[float, Part | None]],
    *,
    is_cancelled: bool = False,
    floor: float = 0.0,
) -> Snapshot:
    """Return a parent as viewers see it.

    It ends when it has ended itself and all its children have. Until then it runs, or waits if none has begun. While
    its children are sent, its progress is unknown unless their number is known. If their sender is gone, those are
    lost of which nothing is known.

    Args:
        own: its own record.
        children: the weight of each child, and what is known of it; None counts as queued.
        is_cancelled: whether its cancel was requested.
        floor: the progress that was shown before, in percent; a child that begins once more takes none of it back.
    """
    weighed = list(children)
    parts = [part for _, part in weighed if part is not None]
    states = Counter(part.state for part in parts)
    expected = (own.children or {}).get("total", 0)
    total = max(len(weighed), expected)
    if runs_nothing(own) and own.state is State.LOST:
        states[State.LOST] += total - len(parts)
    is_asked = is_cancelled or own.cancel_requested
    changes: dict[str, Any] = {
        "is_summed": True,
        "children": _to_wire(states, total),
        "cancel_requested": is_asked,
        "seq": own.seq + sum(part.seq for part in parts) + (is_cancelled and not own.cancel_requested),
        "updated_at": max([own.updated_at, *(part.changed_at for part in parts)]),
        "started_at": own.started_at or min((part.started_at for part in parts if part.started_at), default=None),
    }
    is_open = is_being_sent(own) and not expected
    percent = max(0.0 if is_open else _find_mean(own, weighed, total), floor)
    is_whole = own.is_terminal or (runs_nothing(own) and not is_being_sent(own))
    if is_whole and total == sum(map(states.__getitem__, _ENDS)):
        return _end(own, states, total, percent, is_asked=is_asked, changes=changes)
    going_on = _go_on(own, parts, percent, changes=changes)
    return replace(going_on, percent=None, eta=None) if is_open else going_on


_ENDS = (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST)


def _go_on(own: Snapshot, parts: list[Part], percent: float, *, changes: Mapping[str, Any]) -> Snapshot:
    has_begun = own.state is not State.QUEUED or any(part.state is not State.QUEUED for part in parts)
    state = State.RUNNING if has_begun else State.QUEUED
    running = [part for part in parts if part.state is State.RUNNING]
    is_stalled = bool(running) and all(part.is_stalled for part in running)
    return replace(
        own,
        **changes,
        state=state,
        status=_tell_progress(own, state, changes["children"]),
        percent=percent,
        progress=min(floor_percent(percent), 99),
        stalled=is_stalled and (own.state is not State.RUNNING or own.stalled),
        eta=_count_left(own, parts, percent, changes) if state is State.RUNNING else None,
        finished_at=None,
        result=None,
        result_omitted=None,
        conclusion=None,
        error=None,
    )


def _count_left(own: Snapshot, parts: Iterable[Part], percent: float, changes: Mapping[str, Any]) -> float | None:
    """Return the seconds that are left if all goes on as fast as so far, or as usual until a child has ended.

    Returns:
        None if neither is known, or the usual time is over.
    """
    if changes["started_at"] is None:
        return None
    elapsed: float = max((changes["updated_at"] - changes["started_at"]).total_seconds(), 0.0)
    if percent and elapsed and any(part.state.is_terminal for part in parts):
        return elapsed * (100.0 - percent) / percent
    left = (own.expected or 0.0) - elapsed
    return left if left > 0 else None


def _tell_progress(own: Snapshot, state: State, children: Mapping[str, int]) -> str:
    if own.state is State.RUNNING and own.status != DEFAULT_STATUS[State.RUNNING]:
        return own.status  # what its job has set
    if own.is_terminal and own.state is not State.SUCCEEDED and runs_nothing(own):
        return own.status  # why not all of it was sent
    return DEFAULT_STATUS[State.QUEUED] if state is State.QUEUED else _tell_counts(children)


def _end(
    own: Snapshot, states: Counter[State], total: int, percent: float, *, is_asked: bool, changes: Mapping[str, Any]
) -> Snapshot:
    state = _find_end(own, states, is_asked=is_asked)
    succeeded = state is State.SUCCEEDED
    is_own = own.is_terminal and own.state is state  # it says more than the counts
    status = own.status if is_own else DEFAULT_STATUS[state]
    if states[State.SUCCEEDED] < total and status == DEFAULT_STATUS[state]:
        status = _tell_counts(changes["children"])
    error = own.error if is_own else {"type": GENERIC_TYPE, "message": status} if state is State.FAILED else None
    hidden = {} if succeeded else {"result": None, "result_omitted": None, "conclusion": None}
    return replace(
        own,
        **changes,
        **hidden,
        state=state,
        status=status,
        error=error,
        percent=100.0 if succeeded else percent,
        progress=100 if succeeded else min(floor_percent(percent), 99),
        finished_at=changes["updated_at"],
        queue_position=None,
        stalled=False,
        rate=None,
        eta=None,
    )


def _find_end(own: Snapshot, states: Counter[State], *, is_asked: bool) -> State:
    """Return how a parent ends: as it ended itself unless it succeeded, else as those children that did not."""
    if own.is_terminal and own.state is not State.SUCCEEDED:
        return own.state
    if is_asked and states[State.CANCELLED]:
        return State.CANCELLED
    if own.allows_failures:
        return State.SUCCEEDED
    return next((state for state in (State.FAILED, State.LOST, State.CANCELLED) if states[state]), State.SUCCEEDED)


def _find_mean(own: Snapshot, weighed: Iterable[tuple[float, Part | None]], total: int) -> float:
    """Return the mean progress of the children, and of a parent's own report as one more part, in percent."""
    parts = [(weight, _count_percent(part, own)) for weight, part in weighed]
    parts += [(1.0, 0.0)] * (total - len(parts))
    if own.percent is not None and (own.stages or own.total is not None):
        parts.append((1.0, own.percent))
    scale = math.frexp(max((weight for weight, _ in parts), default=1.0))[1]
    weights = [math.ldexp(weight, -scale) for weight, _ in parts]  # exact, and the sum can't overflow
    done = math.fsum(weight * percent for weight, (_, percent) in zip(weights, parts, strict=True))
    return min(done / math.fsum(weights), 100.0) if parts else 0.0


def _count_percent(part: Part | None, own: Snapshot) -> float:
    if part is None:
        return 0.0
    return 100.0 if own.allows_failures and part.state.is_terminal else part.percent


def _tell_counts(children: Mapping[str, int]) -> str:
    """Return such as "38 of 40 done, 2 failed"."""
    others = [f"{children[state]} {state}" for state in _ENDS[1:] if children[state]]
    return ", ".join([f"{children['succeeded']} of {children['total']} done", *others])


def _to_wire(states: Counter[State], total: int) -> dict[str, int]:
    """Return the number of children in each state; those of which nothing is known count as queued."""
    counts = {"total": total, **{str(state): states[state] for state in State}}
    return counts | {"queued": total - sum(states[state] for state in State if state is not State.QUEUED)}


def _to_time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
