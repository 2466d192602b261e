"""Ids that callers choose, and that they may use for one run after another."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NoReturn
from uuid import UUID

from .. import wakeups
from ..exceptions import StoreUnavailable, TaskIdTaken
from ..reporting import get_flusher
from ..snapshot import Snapshot
from ..store import decode, forget_family, get_store
from ..utils.clock import format_time

#: The version of random UUIDs, by which frameworks name tasks: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-4
_RANDOM = 4


def is_chosen(task_id: str) -> bool:
    """Return whether a caller may have chosen this id, and may use it again."""
    try:
        return UUID(task_id).version != _RANDOM
    except ValueError:
        return True


def check_is_free(known: Snapshot, owner: str | None) -> None:
    """Check that a new run may have the id of a task: who owns the one would see what the other does.

    Raises:
        TaskIdTaken: the task has not ended, or has another owner.
    """
    if not is_free(known, owner):
        refuse(known)


def is_free(known: Snapshot, owner: str | None) -> bool:
    """Return whether a new run of this owner may have the id of a task."""
    return known.is_terminal and known.owner in (None, owner)


def is_taken(task_id: str, parent: str, owner: str | None) -> bool:
    """Return whether an id that was chosen for a part of a parent is that of a task which is no part of it.

    Raises:
        Exception: any error of the cache.
    """
    known = get_store().call_briefly(get_store().get, task_id) if is_chosen(task_id) else None
    return known is not None and known.parent != parent and not is_free(known, owner)


def check_are_free(task_ids: Iterable[str], owner: str | None) -> None:
    """Do what `check_is_free` does for several ids, with one `get_many`.

    Raises:
        TaskIdTaken: as for `check_is_free`.
        StoreUnavailable: the cache can't be reached.
    """
    try:
        texts = get_store().read(task_ids)
    except Exception as error:  # whatever a cache backend raises
        raise StoreUnavailable("the state of the new task could not be stored") from error
    for task_id, text in texts.items():
        if (known := decode(task_id, text)) is not None:
            check_is_free(known, owner)


def refuse(known: Snapshot) -> NoReturn:
    """Raise the error that a task has the id.

    Raises:
        TaskIdTaken: always.
    """
    what = "has ended, and is not of this owner" if known.is_terminal else f"exists already, and is {known.state}"
    raise TaskIdTaken(f"task {known.task_id!r} {what}; use another id, or none for a random one")


def begin_again(ended: Snapshot, new: Snapshot) -> Snapshot:
    """Store a new run under the id of a task that has ended, and return it as it is stored.

    It has nothing of the earlier run but the numbers, which go on.

    Raises:
        StoreUnavailable: the cache did not store it.
    """
    run = _number_after(ended, new)
    if ended.children is not None:
        get_flusher().backlog.parents.forget(run.task_id)  # else they may be stored again
        forget_family(ended, is_chosen)
    get_store().withdraw_cancel(run.task_id)
    versions, refused = get_store().save([run])
    if refused:
        raise StoreUnavailable(f"the cache did not store task {run.task_id!r}")
    wakeups.publish(versions)
    return run


def name_run(snapshot: Snapshot) -> str:
    """Return what tells a run from the others of its id: the time at which its task was created."""
    return str(format_time(snapshot.created_at))


def find_base(stored: Snapshot | None, known: Snapshot, run: str | None) -> Snapshot | None:
    """Return what an attempt goes on from: the stored task, or `known` if that is the end of an earlier run."""
    return stored if stored is None or run in (None, name_run(stored)) else _number_after(stored, known)


def is_of_another_run(stored: Snapshot, run: str | None) -> bool:
    """Return whether a message is of another run than the stored task, which must then stay as it is.

    The first message of a run may find the end of the run before it, if that is all that could be stored.

    Args:
        run: what `name_run` returned for the message; None if it does not tell.
    """
    if run is None or run == (stored_run := name_run(stored)):
        return False
    return not (stored.is_terminal and stored_run < run)


def _number_after(ended: Snapshot, new: Snapshot) -> Snapshot:
    return replace(new, attempt=ended.attempt, seq=ended.seq + 1)
