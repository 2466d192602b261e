"""A parent that runs nothing itself, whose children become known one by one while they are sent."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple, Self

from ..conf import get_settings
from ..exceptions import StoreUnavailable
from ..reporting import Step, get_flusher
from ..snapshot import BATCH, GENERIC_TYPE, Snapshot, expect_children
from ..store import drop_family, get_store, is_task_id, open_family
from .attempts import adopt_promised
from .chosen_ids import is_taken
from .enqueue import get_promised_id, queue
from .identity import inherit_owner
from .keeping import NOT_SENT, begin_sending, cancel_if_asked, end_sending, settle, stop_beating
from .reopening import open_again
from .roster import Roster
from .stopping import cancel_children, cancel_task

logger = logging.getLogger("tasks_app")


class Member(NamedTuple):
    """A child that is sent.

    Attributes:
        first: the id of its task that is sent first, after which others send the rest; None if others send all of it.
        tasks: what has to be ended if that is not sent.
    """

    first: str | None
    tasks: Sequence[Snapshot]


class Gathering:
    """The children of a parent, from the first that is sent to the last.

    The parent can't end before: until all are told, it waits for HELD parts more than have ended, and this process
    gives signs of life of it. Where these fail to come, others declare it lost.

    Args:
        own: the parent's own record, which is stored, and says how many children are expected.
        can_drop: whether nobody has its id yet.
        is_started: whether it is refused as a whole if it gets more than MAX_CHILDREN; else those are sent without it.
    """

    def __init__(self, own: Snapshot, *, can_drop: bool = False, is_started: bool = False) -> None:
        self._own = own
        self._is_started = is_started
        self._excess: list[str] = []
        self._is_overfull = False
        self._can_drop = can_drop
        self._members: dict[str, Member] = {}
        self._sent: set[str] = set()
        self._roster = Roster(own.task_id)
        begin_sending(own)

    @property
    def task_id(self) -> str:
        """The id of the parent."""
        return self._own.task_id

    @property
    def owner(self) -> str | None:
        """The owner of the parent, which its children have as well."""
        return self._own.owner

    def rename(self, name: str) -> None:
        """Change the name of the parent, now that it is known what it consists of."""
        self._own = replace(self._own, task=name)

    def tell(self, task_id: str, *, first: str | None = None, tasks: Sequence[Snapshot] = ()) -> None:
        """Note a child that is sent, or whose first task is; see `Member`. One above MAX_CHILDREN is none.

        Neither is somebody else's task, if its id was chosen for a part.

        Raises:
            Exception: any error of the cache.
        """
        if task_id not in self._members and is_taken(task_id, self.task_id, self.owner):
            return
        if task_id in self._members or self._has_place():
            self._members.setdefault(task_id, Member(first, tasks))
            self._roster.add(task_id)
        elif self._is_started:
            self._excess.append(task_id)

    def takes_another(self) -> bool:
        """Whether what is sent next is to have this parent."""
        return self._is_started or self._has_place()

    def check_number(self) -> None:
        """Check that no more children were sent than a parent may have.

        Raises:
            ValueError: there are more than MAX_CHILDREN.
        """
        if self._excess:
            raise ValueError(
                f"there are more parts than MAX_CHILDREN allows, which is {get_settings().MAX_CHILDREN!r}"
            )

    def _has_place(self) -> bool:
        """Return whether it may have one child more; it is logged once if not."""
        if len(self._members) < (limit := get_settings().MAX_CHILDREN):
            return True
        if not (self._is_overfull or self._is_started):
            logger.warning(
                "task %s: it has %s parts, and MAX_CHILDREN allows no more; the others are sent without it",
                self.task_id,
                limit,
                extra={"task_id": self.task_id},
            )
        self._is_overfull = True
        return False

    def note_sent(self, task_id: str) -> None:
        """Note that the first task of a child was sent."""
        self._sent.add(task_id)

    def close(self) -> None:
        """Store which children there are, now that all are told.

        They are sent, so what fails is logged, and tried again.
        """
        steps = [*self._store_as(self._count_again()), self._cancel_if_asked]
        self._settle(steps, failure="its parts were sent, but can't be shown as one")

    def give_up(self, *, cancels: bool) -> None:
        """Have the parent say that not all of it was sent, and end what was not.

        What fails is logged, and tried again.

        Of one that was refused before any part was told, nothing is left if nobody has its id.

        Args:
            cancels: whether what was sent is cancelled.
        """
        unsent = [member for member in self._members.values() if member.first not in self._sent]
        number, total = len(self._members) - len(unsent), max(self._expected, len(self._members))
        whole = f"more than {len(self._members)}" if self._excess else total
        message = f"{number} of {whole} parts were sent, then it failed"
        if cancels:
            message += "; these were cancelled"
        steps: list[Step] = [self._drop]
        if self._members or not self._can_drop:
            own = self._count_again().failed(GENERIC_TYPE, message, now=_now())
            steps = self._store_as(own)
            steps += [partial(_end_unsent, item) for member in unsent for item in member.tasks]
            steps += [partial(cancel_task, task_id) for task_id in self._excess]
            steps.append(partial(cancel_children, self.task_id) if cancels else self._cancel_if_asked)
        self._settle(steps, failure="that not all of it was sent can't be shown")

    @contextmanager
    def given_up(self) -> Iterator[Self]:
        """Have the parent say that not all of it was sent if this block fails."""
        try:
            yield self
        except BaseException:
            self.give_up(cancels=False)
            raise

    def _settle(self, steps: list[Step], *, failure: str) -> None:
        settle(self.task_id, steps, failure=failure, children=self._roster.weights)

    def _store_as(self, own: Snapshot) -> list[Step]:
        return [self._roster.store, *end_sending(own, len(self._members))]

    def _drop(self) -> None:
        stop_beating(self.task_id)
        get_flusher().backlog.forget(self.task_id)
        drop_family(self.task_id)

    def _cancel_if_asked(self) -> None:
        cancel_if_asked(self.task_id)

    @property
    def _expected(self) -> int:
        return (self._own.children or {}).get("total", 0)

    def _count_again(self) -> Snapshot:
        return expect_children(replace(self._own, children=None), len(self._members), now=_now())


def gather(task_id: str, name: str, *, expected: int, above: Gathering | None = None) -> Gathering:
    """Store a parent whose children are about to be sent, which nobody has started by `start()`.

    Args:
        expected: how many children there will be, as far as is known; 0 if it is not.
        above: its own parent, or None.

    Raises:
        ValueError: there are more than MAX_CHILDREN, or no task can have this id.
        TaskIdTaken: a task with this id has not ended, or has another owner.
        StoreUnavailable: the cache hangs.
        Exception: any other error of the cache.
    """
    _check_number(expected)
    if not is_task_id(task_id):
        raise ValueError(f"{task_id!r} can't be the id of a task")
    owner, parent = (inherit_owner(), None) if above is None else (above.owner, above.task_id)
    own = Snapshot.queued(task_id, name, now=_now(), owner=owner, parent=parent, runner=BATCH)
    own = (
        replace(expect_children(own, expected, now=own.created_at), seq=own.seq).beating().written(now=own.created_at)
    )
    return Gathering(get_store().call_briefly(_open, own))


def gather_started(task_id: str, name: str, *, expected: int) -> Gathering:
    """Store a parent in a block of `starting`, which gives it its owner and its label.

    Args:
        expected: as for `gather`.

    Raises:
        ValueError: there are more than MAX_CHILDREN.
        StoreUnavailable: the cache can't be reached.
    """
    _check_number(expected)
    can_drop = get_promised_id() is None
    own, is_stored = queue(task_id, name, runner=BATCH, children=expected, beat=1)
    if not is_stored:
        raise StoreUnavailable("the state of the new tasks could not be stored")
    try:
        open_family(task_id)
    except Exception as error:  # whatever a cache backend raises
        raise StoreUnavailable("the state of the new tasks could not be stored") from error
    return Gathering(own, can_drop=can_drop, is_started=True)


def _check_number(expected: int) -> None:
    if expected > (limit := get_settings().MAX_CHILDREN):
        raise ValueError(f"there are {expected!r} parts; MAX_CHILDREN allows {limit!r}")


def _open(own: Snapshot) -> Snapshot:
    if not get_store().add(own):
        own = open_again(own)
    open_family(own.task_id)
    get_flusher().enlist(own)
    return own


def _end_unsent(snapshot: Snapshot) -> None:
    adopt_promised(snapshot).end_cancelled(NOT_SENT)


def _now() -> datetime:
    return get_flusher().clock.now()
