"""The sending of Celery's groups, of which Celery itself tells nobody.

Celery has a signal for each task that it sends, and none for a group. So `group.apply_async` is replaced by a method
that calls it: all groups are sent by it, also the members of a chord. Where that can't be done, groups are sent as
ever, and their members are tracked without a parent.
"""

import inspect
from functools import wraps
from typing import Any

from celery import Signature, group
from celery.utils import uuid

from .canvases import sending_group
from .common import logger
from .parts import CHAIN, CHORD, GROUP
from .signatures import CHUNKS

#: Celery's names of the signatures of more than one task.
CANVASES = {f"celery.{kind}" for kind in (CHAIN, CHORD, GROUP)} | {CHUNKS}

_original = group.apply_async


def wrap() -> None:
    """Have `sending_group` know of each group that is sent."""
    if _takes_id(_original):
        group.apply_async = _apply_async
    else:
        logger.warning("groups of this version of Celery are not shown as parents of their members")


def unwrap() -> None:
    """Undo `wrap`."""
    group.apply_async = _original


def _takes_id(method: Any) -> bool:
    """Whether a group can be sent under an id that is known before, as one of its options."""
    parameters = inspect.signature(method).parameters.values()
    return any(item.kind is item.VAR_KEYWORD for item in parameters)


@wraps(_original)
def _apply_async(self: Any, *args: Any, **options: Any) -> Any:
    if self.app.conf.task_always_eager or not self.tasks:
        return _original(self, *args, **options)
    if options.get("task_id") is None:
        options["task_id"] = self.options.get("task_id") or uuid()
    with sending_group(options["task_id"], find_parts(self)):
        return _original(self, *args, **options)


def is_canvas(task: object) -> bool:
    """Whether this is a signature of more than one task; a map is one."""
    return isinstance(task, Signature) and task.task in CANVASES


def find_parts(canvas: Any) -> list[Any]:
    """Return the signatures of the parts of a canvas; none where a generator makes them."""
    tasks = getattr(canvas, "tasks", None)
    tasks = getattr(tasks, "tasks", tasks)  # a chord's header may be a group
    return list(tasks) if type(tasks) is list or type(tasks) is tuple else []
