"""The groups, chords and chains that this process sends, each shown as a parent of what it consists of.

A message tells what its task belongs to: what follows it in its chain, and the callback of its chord. No message tells
which members a group has, so `groups` has each group sent in a block of `sending_group`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from celery import current_task

from ...integration import Gathering, Reporter, Snapshot, check_parts, gather, get_bound, get_store, is_chosen
from .chains import close_chain, start_chain
from .common import is_tracked, logger
from .followers import find_followers
from .parts import CHORD, GROUP, make_unsent, open_part
from .signatures import (
    HEADER,
    FoundTask,
    find_bodies,
    find_chain,
    find_tasks,
    link,
    name_canvas,
    name_task,
    read_parent,
)


class Sending:
    """A canvas that is being sent in this context.

    Args:
        gathering: the parent that `start()` has made for all of it; None for a group, which makes its own.
        group_id: the id of the group.
        parts: the signatures of its members; empty if a generator makes them.
    """

    def __init__(self, gathering: Gathering | None = None, *, group_id: str = "", parts: Sequence[Any] = ()) -> None:
        self.gathering = gathering
        #: The canvas of which it is a part.
        self.outer = find_sending()
        #: The task that sends it.
        self.bound: Reporter | None = get_bound()
        #: Whether the parent of `start()` stands for no canvas yet.
        self.is_free = gathering is not None
        #: Whether the parent was made for this group alone.
        self.is_own = False
        self._group_id = group_id
        self._parts = parts
        self._chain: Gathering | None = None
        self._body: Any = None
        self._has_begun = gathering is not None

    def begin(self, parts: Sequence[Any], bodies: Sequence[Any]) -> Gathering | None:
        """Return the parent of what is sent now, made with the first message; None if there is none.

        Args:
            parts: signatures of what is sent.
            bodies: the callbacks for which what is sent is a member, from the innermost chord to the outermost.

        Raises:
            Exception: any error of the cache.
        """
        if not self._has_begun:
            self._has_begun = True
            self._begin(parts, bodies)
        elif self.gathering is not None and bodies and self._group_id:
            self._link(bodies[0])  # each message may have a copy of its own
        return self.gathering if self.gathering is not None and self.gathering.takes_another() else None

    def takes(self, headers: Mapping[str, Any]) -> bool:
        """Whether a message is of this canvas, and not of a task that a generator sends while it makes members."""
        return not self._group_id or headers.get("group") is not None

    def pass_over(self) -> None:
        """Make no parent: what is sent has one, or takes the place of a task."""
        self._has_begun = True

    def take(self) -> Gathering | None:
        """Return the parent of `start()`, if it stands for no canvas yet."""
        taken, self.is_free = self.gathering if self.is_free else None, False
        return taken

    def finish(self) -> None:
        """Tell the parent of the callback, which comes after the members."""
        if self._body is None or (parent := self.gathering) is None:
            return
        if (part := link(self._body, parent.task_id, is_tracked)) is not None:
            open_part(part, parent)
            parent.tell(part.id, tasks=[make_unsent(task) for task in find_tasks([self._body])])

    def _begin(self, parts: Sequence[Any], bodies: Sequence[Any]) -> None:
        above = None if self.outer is None else self.outer.begin(parts, bodies[1:])
        if bodies and (steps := find_chain(bodies[0])):
            begun, taken = [*parts, bodies[0]], _take(self.outer)
            above = self._chain = start_chain(self._group_id, begun, steps, taken, above)
            above.note_sent(self._group_id)
        name = name_canvas(CHORD if bodies else GROUP, [*(self._parts or parts), *bodies[:1]])
        if (taken := _take(self.outer)) is not None:
            taken.rename(name)
        self.gathering = taken or self._gather(above, name, len([*self._parts, *bodies[:1]]) if self._parts else 0)
        if bodies:
            self._body = bodies[0]
            self._link(self._body)

    def _gather(self, above: Gathering | None, name: str, expected: int) -> Gathering:
        gathering = gather(self._group_id, name, expected=expected, above=above)
        self.is_own = True
        if above is not None:
            with gathering.given_up():
                above.tell(self._group_id, first=self._group_id)
            above.note_sent(self._group_id)
        return gathering

    def _link(self, body: Any) -> None:
        assert self.gathering is not None
        link(body, self.gathering.task_id, is_tracked)
        if self._chain is not None:
            for step in find_chain(body):
                link(step, self._chain.task_id, is_tracked)


def find_sending() -> Sending | None:
    """Return the canvas that is being sent in this context, by the task that runs in it; None if there is none."""
    sending = _sending.get()
    return sending if sending is not None and sending.bound is get_bound() else None


@contextmanager
def sending_group(group_id: str, parts: Sequence[Any]) -> Iterator[None]:
    """Make a parent of the members of a group that are sent in this block, unless they have one.

    Args:
        parts: the signatures of the members; empty if a generator makes them.
    """
    with _entering(Sending(group_id=group_id, parts=parts), cancels=False):
        yield


@contextmanager
def sending_started(gathering: Gathering) -> Iterator[None]:
    """Make what is sent in this block the children of a parent of `start()`; what fails cancels them.

    Raises:
        ValueError: a generator has made more than MAX_CHILDREN.
    """
    sending = Sending(gathering)
    sending.is_own = True
    with _entering(sending, cancels=True):
        yield
        gathering.check_number()


def join(
    headers: Mapping[str, Any], kwargs: Any, embedded: Mapping[str, Any], *, continues: bool
) -> dict[str, str | None]:
    """Return the parent and the owner of a task that is being sent, or nothing; a canvas that begins with it is one.

    Args:
        headers, kwargs, embedded: the parts of its message.
        continues: whether it continues the task that sends it.

    Raises:
        Exception: any error of the cache.
    """
    sending, linked = find_sending(), read_parent(headers.get(HEADER) or {})
    if linked is not None or continues or _is_promised(headers["id"]):
        if sending is not None:
            sending.pass_over()
        return {} if linked is None else {"parent": linked}
    steps = list(reversed(embedded.get("chain") or []))
    if sending is None:
        parent = _join_nothing(_read_task(headers, kwargs), steps, is_sent_again=bool(headers.get("retries")))
    elif steps or sending.takes(headers):
        parent = _join_canvas(_read_task(headers, kwargs), steps, sending, find_bodies(embedded))
    else:
        return {}
    return {} if parent is None else {"parent": parent.task_id, "owner": parent.owner}


def join_eagerly(known: Snapshot) -> Snapshot:
    """Return a task that runs where its canvas is started, with its parent and its owner."""
    sending = find_sending()
    if sending is None or (parent := sending.gathering) is None:
        return known
    parent.tell(known.task_id, first=known.task_id)
    parent.note_sent(known.task_id)
    return replace(known, parent=parent.task_id, owner=parent.owner)


def note_sent(task_id: str) -> None:
    """Note that a task was sent."""
    close_chain(task_id)
    if (sending := find_sending()) is not None and sending.gathering is not None:
        sending.gathering.note_sent(task_id)


def _join_nothing(task: FoundTask, steps: Sequence[Any], *, is_sent_again: bool) -> Gathering | None:
    """Return the parent of a chain that is no part of another canvas; None if it was promised or is sent again.

    Raises:
        TaskIdTaken: its first step can't have the id that was chosen for it.
    """
    if not steps:
        return None
    if get_store().call_briefly(get_store().get, task.id) is not None:
        if is_sent_again or not is_chosen(task.id):
            return None
        get_store().call_briefly(check_parts, [task.id])
    return start_chain(task.id, [{"task": task.name}], steps, None, None, [make_unsent(task)])


def _join_canvas(task: FoundTask, steps: Sequence[Any], sending: Sending, bodies: Sequence[Any]) -> Gathering | None:
    begun = {"task": task.name}
    above = sending.begin([begun, *steps], bodies)
    if steps:
        return start_chain(task.id, [begun], steps, sending.take(), above, [make_unsent(task)])
    if above is not None:
        above.tell(task.id, first=task.id, tasks=[make_unsent(task)])
    return above


def _take(sending: Sending | None) -> Gathering | None:
    return None if sending is None else sending.take()


def _is_promised(task_id: str) -> bool:
    return bool(current_task) and task_id in find_followers(current_task.request)


def _read_task(headers: Mapping[str, Any], kwargs: Any) -> FoundTask:
    label = (headers.get(HEADER) or {}).get("label")
    return FoundTask(headers["id"], headers["task"], name_task(headers["task"], kwargs), label)


@contextmanager
def _entering(sending: Sending, *, cancels: bool) -> Iterator[None]:
    token = _sending.set(sending)
    try:
        yield
    except BaseException:
        _end(sending, lambda gathering: gathering.give_up(cancels=cancels))
        raise
    finally:
        _sending.reset(token)
    _end(sending, Gathering.close)


def _end(sending: Sending, end: Callable[[Gathering], None]) -> None:
    try:
        sending.finish()
    except Exception:
        logger.exception("the callback of a chord can't be shown")
    if sending.is_own and sending.gathering is not None:
        end(sending.gathering)


_sending: ContextVar[Sending | None] = ContextVar("tasks_app_sending", default=None)
