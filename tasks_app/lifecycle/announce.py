"""Tasks that `task_run` runs under an id that is known before: shown as queued from their announcement on."""

from functools import partial

from django.utils.crypto import get_random_string

from ..exceptions import StoreUnavailable, TaskCancelled, TaskIdTaken
from ..reporting import Reporter, find_reporter, foretell, get_flusher
from ..snapshot import Snapshot, State
from ..store import RESERVED_IDS, get_store, is_task_id
from ..streaming import observe
from .attempts import adopt, begin, use_store, write
from .chosen_ids import begin_again, check_is_free, refuse
from .claims import claim_beginning
from .identity import Identity

#: The `runner` of tasks that were announced, or that `task_run` runs under a chosen id.
ANNOUNCED = "task_run"

#: Seconds within which the task is stored as running once it was read. No end is forgotten earlier.
BEGIN_SECONDS = 1


def announce(name: str, *, owner: object = None, label: object = None, task_id: str | None = None) -> str:
    """Show a task as queued before `task_run` runs it, in this process or another, and return its id.

    Args:
        name: the name of the task, shown to viewers.
        owner: the user that owns the task (a saved user or a primary key), as for `start()`.
        label: what people call this task, where its name is not enough; viewers see at most 200 characters.
        task_id: an id to give it; None for a random one. That of a task which has ended is used once more.

    Raises:
        ValueError: `owner` or `task_id` can't be one.
        TaskIdTaken: a task with this id has not ended, or has another owner.
        StoreUnavailable: the cache can't be reached.
    """
    known = make_known(name, Identity.make(owner, label), check_task_id(task_id) or get_random_string(32))
    try:
        stored = _store(known)
    except TaskIdTaken:
        raise
    except Exception as error:  # whatever a cache backend raises
        raise StoreUnavailable("the state of the new task could not be stored") from error
    get_flusher().enlist(stored)
    return stored.task_id


async def aannounce(name: str, *, owner: object = None, label: object = None, task_id: str | None = None) -> str:
    """Do what `announce` does, from async code."""
    return await get_store().arun(partial(announce, name, owner=owner, label=label, task_id=task_id))


def check_task_id(task_id: str | None) -> str | None:
    """Return an id that a caller has chosen, or None if there is none.

    Raises:
        ValueError: it can't be an id.
    """
    if task_id is not None and not (isinstance(task_id, str) and is_task_id(task_id)):
        allowed = f"1 to 128 printable ASCII characters without spaces and '/', and none of {sorted(RESERVED_IDS)!r}"
        raise ValueError(f"task_id must be {allowed}, not {task_id!r}")
    return task_id


def make_known(name: str, identity: Identity, task_id: str) -> Snapshot:
    """Return the first snapshot of a task under a chosen id."""
    now, (_, owner, label, _) = get_flusher().clock.now(), identity
    return Snapshot.queued(task_id, str(name), now=now, owner=owner, label=label, runner=ANNOUNCED)


def begin_announced(known: Snapshot, *, is_owner_named: bool) -> Reporter:
    """Begin a task that may have been announced, or that runs once more, and return its reporter.

    If the cache does not answer, nobody can know what it holds: the task begins.

    Args:
        known: the task, if it was not announced.
        is_owner_named: whether the caller has named its owner, who must then be that of the announced task.

    Raises:
        TaskIdTaken: a task with this id runs or begins, waits for another executor, or has another owner.
        TaskCancelled: the task was announced, and cancelled before it began.
    """
    loaded = use_store(known.task_id, "what is known of it could not be read", _find, known.task_id)
    found = loaded[0] if loaded is not None else None
    if loaded == (None,):
        use_store(known.task_id, "it may be asked to stop", get_store().forget_words, known.task_id)
    if found is not None:
        _check_may_begin(found, known.owner, is_owner_named)
        _check_not_cancelled(found)
    if use_store(known.task_id, "it may begin twice", claim_beginning, found or known, BEGIN_SECONDS) is False:
        raise TaskIdTaken(f"task {known.task_id!r} begins elsewhere at this moment; use another id")
    reporter = begin(known)
    if write(reporter):
        _heed_cancel(reporter)
    return reporter


def withdraw(task_id: str) -> None:
    """End an announced task as cancelled, unless it has begun."""
    snapshot = get_store().get(task_id)
    if snapshot is not None and snapshot.state is State.QUEUED and find_reporter(task_id) is None:
        adopt(snapshot).end_cancelled()
        get_flusher().flush()


def _store(known: Snapshot) -> Snapshot:
    """Store a task as announced, and return it as it is stored."""
    known = foretell(known)
    if get_store().add(known):
        get_store().forget_words(known.task_id)  # of a run whose end is kept no longer
        return known
    (found,) = _find(known.task_id)
    if found is None:
        raise StoreUnavailable(f"the cache did not store task {known.task_id!r}")
    check_is_free(found, known.owner)
    return begin_again(found, known)


def _find(task_id: str) -> tuple[Snapshot | None]:
    """Return what is known of a task; a tuple, so that None means something else to `use_store`."""
    reporter = find_reporter(task_id)
    return (observe(task_id) if reporter is None else reporter.snapshot,)


def _check_may_begin(found: Snapshot, owner: str | None, is_owner_named: bool) -> None:
    """Check that a task is at rest, and not someone else's: what was announced need not be told its owner again."""
    is_own = found.owner == owner or (found.runner == ANNOUNCED and not is_owner_named)
    waits = found.state is State.QUEUED and found.runner == ANNOUNCED
    if not is_own or not (waits or found.is_terminal or found.stalled):
        refuse(found)


def _check_not_cancelled(found: Snapshot) -> None:
    if found.state is State.CANCELLED and not found.attempt:
        raise TaskCancelled(f"task {found.task_id} was cancelled before it began")
    if found.is_terminal:
        use_store(found.task_id, "it may be asked to stop", get_store().withdraw_cancel, found.task_id)


def _heed_cancel(reporter: Reporter) -> None:
    """End a task that was cancelled while it was about to begin.

    It is written before its request is read here, and `cancel` stores the request before it reads the task: one of
    the two sees the other.
    """
    what = "its cancel request could not be read; retrying"
    if use_store(reporter.task_id, what, get_store().find_cancelled, [reporter.task_id]):
        reporter.end_cancelled()
        raise TaskCancelled(f"task {reporter.task_id} was cancelled before it began")
