"""Tasks that are started in a transaction: their ids are given away at once, and they are enqueued at the commit."""

import logging
from collections.abc import Collection
from functools import partial
from typing import Any

from ..exceptions import TaskIdTaken
from ..reporting import get_flusher
from ..snapshot import Snapshot
from .attempts import adopt_promised
from .children import Link, linking
from .chosen_ids import check_are_free
from .commits import call_at_commit
from .enqueue import starting
from .frameworks import Framework, Promise
from .identity import Identity

logger = logging.getLogger("tasks_app")


def enqueue_at_commit(
    framework: Framework,
    task: Any,
    promise: Promise,
    databases: Collection[str],
    identity: Identity,
    link: Link | None = None,
) -> str:
    """Enqueue a task once these databases have committed, and return its id now.

    Raises:
        StoreUnavailable: the cache can't be reached; nothing will be enqueued.
        TaskIdTaken: a task with an id of this one has not ended, or has another owner; nothing will be enqueued.
    """
    check_are_free([promise.task_id, *promise.parts], identity.owner)  # at the commit it is too late to refuse
    call_at_commit(partial(_keep, framework, task, promise, identity, link), databases)
    return promise.task_id


def _keep(framework: Framework, task: Any, promise: Promise, identity: Identity, link: Link | None) -> None:
    """Enqueue a task; if that fails, end it: its caller has its id, and other hooks of the commit must go on."""
    try:
        with linking(link) as tell, starting(identity, promised_id=promise.task_id):
            tell(promise.task_id)
            framework.enqueue(task, promise.args, promise.kwargs)
    except Exception as error:
        logger.exception(
            "task %s: it could not be enqueued after the commit", promise.task_id, extra={"task_id": promise.task_id}
        )
        if isinstance(error, TaskIdTaken) and not promise.parts:  # it stays as it is
            return
        now = get_flusher().clock.now()
        _, owner, label, parent = identity
        known = Snapshot.queued(promise.task_id, promise.name, now=now, owner=owner, label=label, parent=parent)
        adopt_promised(known).fail(error)
