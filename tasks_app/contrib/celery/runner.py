"""The start of Celery tasks, and the withdrawal of those that have not begun."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from functools import partial
from typing import Any

from celery import Celery, Task, current_app
from celery.canvas import Signature
from celery.utils import uuid
from kombu.exceptions import OperationalError

from ...integration import (
    BrokerUnavailable,
    DaemonExecutor,
    Flaw,
    Promise,
    Snapshot,
    State,
    adopt,
    check_parts,
    claim_end,
    decode,
    find_reporter,
    gather_started,
    get_flusher,
    get_promised_id,
    get_store,
    is_chosen,
    per_process,
    queue,
)
from .arguments import check_arguments
from .canvases import sending_started
from .common import RUNNER, is_left_out, logger
from .groups import find_parts, is_canvas
from .parts import CHAIN
from .signatures import name_canvas, name_task
from .started import read_ids

#: Seconds for which the caller of `cancel` waits until the workers are told: a broker may hang.
PATIENCE = 5.0

#: The most tasks read in one round trip.
BATCH = 200


class CeleryTasks:
    """The framework of Celery tasks, for `start()` and `cancel()`."""

    name = RUNNER
    wanted = "a Celery task"
    is_threaded = False

    def takes(self, task: object) -> bool:
        return isinstance(task, Task) or _is_signature(task)

    def unwrap(self, task: Any) -> tuple[Callable[..., Any], bool]:
        if _is_signature(task):
            raise TypeError(f"a Celery task is needed, not the signature {task!r}")
        return task.run, False

    def hold_back(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        if is_canvas(task):
            return _send_canvas(task, args, kwargs)
        if (task_id := get_promised_id()) is None:
            task_id = self.promise(task, args, kwargs).task_id
        queue(task_id, _get_name(task), runner=self.name, is_new_run=_has_own_id(task) or is_chosen(task_id))
        try:
            task.apply_async(tuple(args), dict(kwargs), task_id=task_id)
        except OperationalError as error:
            _fail_unsent(task_id, error)
            raise BrokerUnavailable("the broker can't be reached") from error
        except Exception as error:
            _fail_unsent(task_id, error)
            raise
        return task_id

    async def aenqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        # Separate threads, because a broker that hangs must not block the threads of others.
        call = partial(copy_context().run, self.enqueue, task, args, kwargs)
        return await asyncio.get_running_loop().run_in_executor(_get_executor(), call)

    def promise(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Promise:
        if is_canvas(task):
            parts = read_ids(task)
            return Promise(uuid(), _get_name(task), tuple(args), dict(kwargs), parts)
        _check_tracked(task)
        check_arguments(task, args, kwargs)
        return Promise(_make_id(task), _get_name(task), tuple(args), dict(kwargs))

    def commits_with(self, task: Any, databases: Collection[str]) -> bool:
        return False

    def withdraw(self, task_id: str) -> None:
        self.withdraw_all([task_id])

    def withdraw_all(self, task_ids: Sequence[str]) -> None:
        """End those of these tasks that wait as cancelled, and tell the workers, by one message, to drop them.

        One that a worker begins at the same moment is left to it: it finds the request to cancel.
        """
        for start in range(0, len(task_ids), BATCH):
            _end_waiting(task_ids[start : start + BATCH])
        try:
            _get_executor().submit(_revoke, current_app._get_current_object(), task_ids).result(PATIENCE)
        except Exception:  # also because that takes longer
            logger.exception("tasks %s: the workers could not be told that they were cancelled", list(task_ids))

    def find_flaw(self, task: Any) -> Flaw | None:
        if not task.app.conf.task_always_eager:
            return None
        what = "runs where it is started, since 'task_always_eager' is set: starting it blocks until it has ended"
        return Flaw("W004", what, "Unset 'task_always_eager'.")


@per_process()
def _get_executor() -> DaemonExecutor:
    return DaemonExecutor(max_workers=16, name="tasks_app-celery-start")


def _send_canvas(canvas: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    check_parts(read_ids(canvas))
    if canvas.task == f"celery.{CHAIN}":
        canvas = canvas.clone()  # Celery gives one that is sent twice the same id for its last step
    task_id = get_promised_id() or uuid()
    gathering = gather_started(task_id, _get_name(canvas), expected=len(find_parts(canvas)))
    try:
        with sending_started(gathering):
            canvas.apply_async(tuple(args), dict(kwargs))
    except OperationalError as error:
        raise BrokerUnavailable("the broker can't be reached") from error
    return task_id


def _check_tracked(task: Any) -> None:
    name = _get_name(task)
    if is_left_out(name):
        raise ValueError(f"task {name!r} is not tracked, since UNTRACKED says so, and can't be started by start()")


def _is_signature(task: object) -> bool:
    return isinstance(task, Signature)


def _has_own_id(task: object) -> bool:
    return _is_signature(task) and bool(task.id)  # type: ignore[attr-defined]


def _make_id(task: Any) -> str:
    return str(task.id if _has_own_id(task) else uuid())


def _get_name(task: Any) -> str:
    if is_canvas(task):
        return name_canvas(task.task.removeprefix("celery."), find_parts(task) or [task])
    return name_task(task.task, task.kwargs) if _is_signature(task) else str(task.name)


def _revoke(app: Celery, task_ids: Sequence[str]) -> None:
    with app.pool.acquire(block=True) as connection:
        # The default retries for seconds.
        connection.ensure_connection(max_retries=1, interval_start=0)
        app.control.revoke(list(task_ids), connection=connection)


def _end_waiting(task_ids: Sequence[str]) -> None:
    texts = get_store().read(task_ids)
    known = [decode(task_id, text) for task_id, text in texts.items()]
    for snapshot in known:
        if snapshot is not None and _waits(snapshot) and claim_end(snapshot):
            adopt(snapshot).end_cancelled()
    get_flusher().flush()


def _fail_unsent(task_id: str, error: Exception) -> None:
    """Report the failure of a task that was not sent; a task that ran at once instead has reported its end."""
    try:
        snapshot = get_store().get(task_id)
    except Exception:
        logger.exception(
            "task %s: it was not sent, and its failure could not be stored", task_id, extra={"task_id": task_id}
        )
        return
    if snapshot is not None and _waits(snapshot):
        adopt(snapshot).fail(error)


def _waits(snapshot: Snapshot) -> bool:
    return snapshot.state is State.QUEUED and find_reporter(snapshot.task_id) is None
