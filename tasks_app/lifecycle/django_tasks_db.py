"""Access to tasks that wait in a database for the `db_worker` of django-tasks-db."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db import router, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from ..exceptions import TaskCancelled
from . import compat
from .identity import Identity

if TYPE_CHECKING:
    from django.tasks import TaskResult

_APP = "django_tasks_db"

#: The key of this app in `args_kwargs`; the backend reads only "args" and "kwargs".
_KEY = "tasks_app"


def get_model() -> Any:
    """Return the model of such tasks, or None if django-tasks-db is not in INSTALLED_APPS."""
    return import_string(f"{_APP}.models.DBTaskResult") if apps.is_installed(_APP) else None


def get_alias() -> str:
    """Return the alias of the database in which tasks wait."""
    return str(router.db_for_write(get_model()))


def keeps(task: Any) -> bool:
    """Whether this task waits in a database once it is enqueued."""
    return get_model() is not None and isinstance(task.get_backend(), import_string(f"{_APP}.DatabaseBackend"))


def find_transaction(task_result: "TaskResult[Any, Any]") -> str | None:
    """Return the alias of the database in whose open transaction the task was just enqueued, or None."""
    row = getattr(task_result, "db_result", None)
    alias: str | None = None if row is None else row._state.db
    return alias if alias is not None and transaction.get_connection(alias).in_atomic_block else None


def keep_identity(task_result: "TaskResult[Any, Any]", identity: Identity) -> None:
    """Store what a task was given with its arguments; that lasts as long as its row."""
    row = task_result.db_result  # type: ignore[attr-defined]  # only results of this backend have it
    row.args_kwargs = {**row.args_kwargs, _KEY: identity._asdict()}
    row.save(update_fields=["args_kwargs"])


def read_identity(task_result: "TaskResult[Any, Any]") -> Identity:
    """Return what `keep_identity` stored; each part is None if missing."""
    row = getattr(task_result, "db_result", None)
    kept = {} if row is None else row.args_kwargs.get(_KEY, {})
    return Identity(**{name: kept.get(name) for name in Identity._fields})


def withdraw(task_id: str) -> bool:
    """Mark a task as failed in the database, if no worker has begun it.

    Returns:
        Whether it was marked; False also if it does not wait in a database.
    """
    model = get_model()
    if model is None or not _is_uuid(task_id):
        return False
    alias = get_alias()
    with transaction.atomic(using=alias):  # a failure must not break the caller's transaction
        taken = (
            model.objects.using(alias)
            .filter(pk=task_id, status=compat.TaskResultStatus.READY)
            .update(
                status=compat.TaskResultStatus.FAILED,
                finished_at=timezone.now(),
                exception_class_path=f"{TaskCancelled.__module__}.{TaskCancelled.__qualname__}",
                traceback=f"{TaskCancelled.__name__}: the task was cancelled before it began\n",
            )
        )
    return bool(taken)


def announce_end(task_id: str) -> None:
    """Send the `task_finished` signal of a withdrawn task; Django logs what a receiver raises."""
    row = get_model().objects.using(get_alias()).get(pk=task_id)
    task_finished = import_string(f"{_APP}.compat.task_finished")
    task_finished.send_robust(type(row.task.get_backend()), task_result=row.task_result)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
