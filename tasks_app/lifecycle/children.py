"""The links between parents and the children that are started, one after the other or as a batch."""

import logging
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial

from ..conf import get_settings
from ..exceptions import StoreUnavailable, TaskAlreadyEnded, TaskNotFound, describe
from ..reporting import Step, find_reporter, get_bound, get_flusher, restore_family
from ..snapshot import Snapshot, expect_total, runs_nothing
from ..store import add_children, count_itself, expect_ends, find_broods, get_store
from ..streaming import observe
from .commits import call_at_commit
from .identity import Identity
from .keeping import settle
from .stopping import cancel_task

logger = logging.getLogger("tasks_app")


class _Running(Enum):
    """The type of RUNNING, for type checkers."""

    RUNNING = "the task that runs in this context"

    def __repr__(self) -> str:
        return f"<{self.value}>"


#: Stands for the task that runs in this context, if any.
RUNNING = _Running.RUNNING


def choose_parent(parent: object, identity: Identity) -> Identity:
    """Return the identity of a task that is started with its parent, and with the parent's owner if it has none.

    Who sees a parent sees its children. So a task for another owner than that of the task that runs is not its child.

    Args:
        parent: RUNNING, None for none, or the id of a task.
        identity: that of the child, perhaps with the owner of the task that runs.

    Raises:
        ValueError: `parent` is no id, or has another owner than the child.
        TaskNotFound: no such task is known.
        TaskAlreadyEnded: it has ended.
    """
    if parent is None:
        return identity
    if parent is RUNNING:
        return _join_running(identity)
    known = _find_parent(parent)
    if identity.owner is not None and known.owner != identity.owner:
        raise ValueError(f"parent {parent!r} has another owner, or none, so that others would see the child")
    return identity._replace(parent=known.task_id, owner=known.owner)


def _join_running(identity: Identity) -> Identity:
    bound = get_bound()
    if bound is None or bound.has_ended or bound.snapshot.owner != identity.owner:
        return identity
    return identity._replace(parent=bound.task_id)


def _find_parent(parent: object) -> Snapshot:
    """Return the task with this id, if it can be a parent."""
    if not isinstance(parent, str):
        raise ValueError(f"parent must be the id of a task, or None, not {parent!r}")
    known = observe(parent)
    if known is None:
        raise TaskNotFound(f"no task {parent!r} is known, so it can't be a parent")
    if known.is_terminal:
        raise TaskAlreadyEnded(f"task {parent!r} has already ended, so it can't be a parent: {known.state}")
    return known


def check_weight(weight: object) -> float:
    """Return the weight of a child.

    Raises:
        ValueError: it is no finite number above 0, or no float can hold it.
    """
    if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 < weight <= sys.float_info.max:
        raise ValueError(f"a weight must be a finite number above 0, not {describe(weight)}")
    return weight


@dataclass(frozen=True, slots=True)
class Link:
    """The link of a child that is about to be enqueued to its parent."""

    parent: str
    weight: float

    def check(self) -> None:
        """Check that the parent may have one child more.

        Raises:
            ValueError: the parent has MAX_CHILDREN.
            Exception: any error of the cache.
        """
        reporter = find_reporter(self.parent)
        if reporter is not None and reporter.snapshot.children is not None:
            total = reporter.snapshot.children["total"]
        else:
            total = find_broods([self.parent])[self.parent].total
        if total >= (limit := get_settings().MAX_CHILDREN):
            raise ValueError(f"task {self.parent!r} has {total!r} children; MAX_CHILDREN allows {limit!r}")

    def expect(self) -> int:
        """Have the parent wait for one child more, and return for how many parts it waits then.

        A parent that runs is one more part that has to end.

        Raises:
            Exception: any error of the cache.
        """
        is_first = self._parent_runs() and count_itself(self.parent)
        return expect_ends(self.parent, 2 if is_first else 1)

    def _parent_runs(self) -> bool:
        """Return whether the parent is a task that runs something itself, here or elsewhere."""
        if find_reporter(self.parent) is not None:
            return True
        own = get_store().get(self.parent)
        return own is not None and not runs_nothing(own)

    def tell_late(self, task_id: str) -> None:
        """Do what `expect` and `tell` do for a child that may have ended already."""
        self.tell(task_id)
        try:
            if self.expect() <= 0:
                get_flusher().sums.end(self.parent)
        except Exception:  # whatever a cache backend raises: the child is enqueued
            logger.exception("task %s: its end may not be told", self.parent, extra={"task_id": self.parent})

    def tell(self, task_id: str) -> None:
        """Add the child to the parent, and cancel it if the parent was cancelled; a failure of the cache is logged."""
        children = {task_id: self.weight}
        try:
            link_children(self.parent, children)
            steps: list[Step] = []
        except Exception:  # whatever a cache backend raises: the child is enqueued
            logger.exception(
                "task %s: it can't be added to its parent %s", task_id, self.parent, extra={"task_id": task_id}
            )
            steps = [partial(restore_family, self.parent, children)]
        steps.append(partial(self._stop_with_parent, task_id))
        settle(self.parent, steps, failure=f"its child {task_id} can't be added", children=children)

    def _stop_with_parent(self, task_id: str) -> None:
        if get_store().find_cancelled([self.parent]):
            cancel_task(task_id)

    def forget(self) -> None:
        """Undo `expect`, since the child was not enqueued; a failure of the cache is logged."""
        try:
            expect_ends(self.parent, -1)
        except Exception:
            logger.exception(
                "task %s: it waits for a child that was not enqueued, until it is asked",
                self.parent,
                extra={"task_id": self.parent},
            )


def link_to(parent: str | None, weight: object) -> Link | None:
    """Return the link of a child to its parent, or None if it has none.

    Raises:
        ValueError: `weight` can't be that.
    """
    checked = check_weight(weight)
    return None if parent is None else Link(parent, checked)


@contextmanager
def linking(link: Link | None, databases: Collection[str] = ()) -> Iterator[Callable[[str], None]]:
    """Link the task that is enqueued in this block to its parent, if it has one; the block tells its id.

    Args:
        databases: those with whose commit the task is enqueued.

    Raises:
        ValueError: the parent has MAX_CHILDREN; the block is not entered.
        StoreUnavailable: the cache can't be reached; the block is not entered.
    """
    told: list[str] = []
    if link is not None:
        open_link(link, is_late=bool(databases))
    try:
        yield told.append
    except BaseException:
        if link is not None and not (told or databases):
            link.forget()
        raise
    finally:
        if link is not None and told:
            call_at_commit(partial(link.tell_late if databases else link.tell, told[0]), databases)


def open_link(link: Link, *, is_late: bool = False) -> None:
    """Have a parent wait for a child that is about to be enqueued.

    Args:
        is_late: whether it is to be told of at a commit alone, which may never come.

    Raises:
        ValueError: the parent has MAX_CHILDREN.
        StoreUnavailable: the cache can't be reached.
    """
    try:
        link.check()
        if not is_late:
            link.expect()
    except ValueError:
        raise
    except Exception as error:  # whatever a cache backend raises
        raise StoreUnavailable("the state of the parent can't be stored") from error


def link_children(parent: str, children: dict[str, float]) -> None:
    """Add children to a task: their ids, and the weight of each, in their order.

    If it runs elsewhere, its process finds them at its next sweep, or when it ends.

    Raises:
        Exception: any error of the cache.
    """
    total = add_children(parent, children)
    if (reporter := find_reporter(parent)) is not None:
        reporter.change(partial(expect_total, total=total, now=get_flusher().clock.now()))
