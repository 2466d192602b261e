"""Deleted users: their tasks belong to nobody, so only staff see them, and ended ones are emptied.

Tasks that run or wait go on, since others may count on them, and one may be what deletes the user.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from django.apps import apps
from django.db import router, transaction
from django.db.models.signals import post_delete

from .. import wakeups
from ..exceptions import StoreUnavailable
from ..reporting import call_before_end, find_reporter, get_flusher
from ..snapshot import Snapshot, disown, empty
from ..store import decode, delete_contents, get_store, note_gone
from ..users import find_user_model
from ..utils.json import encode_json
from ..utils.lazy import per_process
from ..utils.threads import DaemonExecutor

logger = logging.getLogger("tasks_app")

#: Seconds until a cache that fails is tried again; after the last one, its tasks stay as they are.
PAUSES = (1.0, 5.0, 25.0)

#: How many tasks one round trip reads.
BATCH_SIZE = 200


def connect_users() -> None:
    """Connect the receiver to the deletion of users; only to theirs, since others would be deleted more slowly."""
    if (model := find_user_model()) is None:
        return
    for item in apps.get_models():  # a signal is sent for the class of the object, which may be a proxy
        if item._meta.concrete_model is model._meta.concrete_model:
            post_delete.connect(on_user_deleted, sender=item, dispatch_uid="tasks_app")


def on_user_deleted(*, instance: Any, using: str, **kwargs: Any) -> None:
    """Forget a user at the commit of the deletion, unless another database than that of the users lost a copy."""
    if using == router.db_for_write(find_user_model()) and instance.pk is not None:
        owner = str(instance.pk)
        transaction.on_commit(lambda: _forget(owner), using=using, robust=True)  # no partial: Django names what fails


def forget_owners(owners: Collection[str]) -> None:
    """Take the recent tasks of deleted users from them; what other processes run is left to these.

    Raises:
        Exception: any error of the cache.
    """
    note_gone(owners, at=get_flusher().clock.now().timestamp())
    for reporter in get_flusher().reporters:
        if reporter.snapshot.owner in owners:
            reporter.change(disown)
    task_ids = get_store().find_recent()
    for start in range(0, len(task_ids), BATCH_SIZE):
        _take_away(list(_find_owned(task_ids[start : start + BATCH_SIZE], owners)))


def _find_owned(task_ids: Iterable[str], owners: Collection[str]) -> Iterable[Snapshot]:
    """Yield those of these tasks that belong to one of the owners; few do, so only what may is decoded."""
    signs = [f'"owner":{encode_json(owner)}' for owner in owners]
    for task_id, text in get_store().read(task_ids).items():
        if any(sign in text for sign in signs):
            snapshot = decode(task_id, text)
            if snapshot is not None and snapshot.owner in owners:
                yield snapshot


def _take_away(snapshots: Iterable[Snapshot]) -> None:
    """Store what is left of tasks that no process reports; one that begins just now is written by its process soon."""
    changed, now = [], get_flusher().clock.now()
    for snapshot in snapshots:
        if snapshot.is_terminal:
            delete_contents(snapshot)
            changed.append(empty(snapshot, now=now))
        elif not snapshot.has_heartbeats and find_reporter(snapshot.task_id) is None:
            changed.append(disown(snapshot))
    versions, refused = get_store().save(changed)
    wakeups.publish(versions)
    if refused:
        raise StoreUnavailable(f"the cache refused the tasks {sorted(refused)!r}")


def _forget(owner: str) -> None:
    if get_store().is_local:
        forget_owners({owner})
    else:
        _get_forgetter().add(owner)


class Forgetter:
    """Forgets users in a thread, as many at a time as were deleted meanwhile.

    Args:
        sleep: waits until a cache that failed is tried again.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._changed = threading.Condition()
        self._waiting: set[str] = set()
        self._is_running = False
        self._threads = DaemonExecutor(max_workers=1, name="tasks_app-forget")

    def add(self, owner: str) -> None:
        """Forget a user soon.

        Raises:
            Exception: the process can't start the thread.
        """
        with self._changed:
            self._waiting.add(owner)
            if not self._is_running:
                self._threads.submit(self._run)
                self._is_running = True

    def drain(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until all are forgotten, and return whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_running, timeout)

    def _run(self) -> None:
        while owners := self._take():
            self._try(owners)

    def _take(self) -> set[str]:
        with self._changed:
            owners, self._waiting = self._waiting, set()
            self._is_running = bool(owners)
            self._changed.notify_all()
            return owners

    def _try(self, owners: set[str]) -> None:
        for pause in (*PAUSES, None):
            try:
                return forget_owners(owners)
            except Exception:  # whatever a cache backend raises
                logger.exception("the tasks of deleted users %s could not be taken from them", sorted(owners))
            finally:
                get_store().close_old_connections()
            if pause is not None:
                self._sleep(pause)


@per_process()
def _get_forgetter() -> Forgetter:
    return Forgetter()


def _drain(timeout: float) -> None:
    if (forgetter := _get_forgetter.peek()) is not None:
        forgetter.drain(timeout)


call_before_end(_drain)
