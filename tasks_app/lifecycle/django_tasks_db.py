"""Tasks that wait in a database, for the `db_worker` of django-tasks-db: held back until a commit, and taken back."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db import router, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from ..exceptions import TaskCancelled
from . import compat

if TYPE_CHECKING:
    from django.tasks import TaskResult

_APP = "django_tasks_db"

#: Beside "args" and "kwargs", which are all that the backend reads.
_LABEL = "tasks_app"


def get_model() -> Any:
    """Return the model of tasks in a database, or None where django-tasks-db is not an installed app."""
    return import_string(f"{_APP}.models.DBTaskResult") if apps.is_installed(_APP) else None


def get_alias() -> str:
    """Return the alias of the database that they wait in."""
    return str(router.db_for_write(get_model()))


def keeps(task: Any) -> bool:
    """Does this task, once enqueued, wait in a database?"""
    return get_model() is not None and isinstance(task.get_backend(), import_string(f"{_APP}.DatabaseBackend"))


def find_transaction(task_result: "TaskResult[Any, Any]") -> str | None:
    """Return the alias of the database in whose open transaction this task was just enqueued, if there is one."""
    row = getattr(task_result, "db_result", None)
    alias: str | None = None if row is None else row._state.db
    return alias if alias is not None and transaction.get_connection(alias).in_atomic_block else None


def label(task_result: "TaskResult[Any, Any]", name: str, owner: str | None) -> None:
    """Keep a name and an owner with the arguments of a task: they last as long as the task does."""
    row = task_result.db_result  # type: ignore[attr-defined]  # only results of this backend have it
    row.args_kwargs = {**row.args_kwargs, _LABEL: {"name": name, "owner": owner}}
    row.save(update_fields=["args_kwargs"])


def read_label(task_result: "TaskResult[Any, Any]") -> tuple[str | None, str | None]:
    """Return the name and the owner that were kept with a task; None where there are none."""
    row = getattr(task_result, "db_result", None)
    kept = {} if row is None else row.args_kwargs.get(_LABEL, {})
    return kept.get("name"), kept.get("owner")


def withdraw(task_id: str) -> bool:
    """Take back a task that no worker has begun, and call it failed there; False if it does not wait in a database."""
    model = get_model()
    if model is None or not _is_uuid(task_id):
        return False
    alias = get_alias()
    with transaction.atomic(using=alias):  # a failure must not spoil the transaction of whoever cancels
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
    """Send the `task_finished` of a task that was taken back; what a receiver raises, Django logs."""
    row = get_model().objects.using(get_alias()).get(pk=task_id)
    task_finished = import_string(f"{_APP}.compat.task_finished")
    task_finished.send_robust(type(row.task.get_backend()), task_result=row.task_result)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
