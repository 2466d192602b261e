"""The sending of Celery's groups and chains, of which Celery itself tells nobody.

Celery has a signal for each task that it sends, and none for a group. So `group.apply_async` is replaced by a method
that calls it: all groups are sent by it, also the members of a chord. Where that can't be done, groups are sent as
ever, and their members are tracked without a parent. That of chains is replaced since no signal says that the sending
failed.
"""

import inspect
from functools import wraps
from typing import Any

from celery import Signature, group
from celery.utils import uuid

from .canvases import find_sending, sending_group
from .chains import sending_chain
from .common import logger
from .parts import CHAIN, CHORD, GROUP
from .signatures import CHUNKS

#: Celery's names of the signatures of more than one task.
CANVASES = {f"celery.{kind}" for kind in (CHAIN, CHORD, GROUP)} | {CHUNKS}

_original = group.apply_async

#: `celery.chain` is no class of what it makes.
_Chain: Any = Signature.TYPES[CHAIN]
_original_of_chains = _Chain.apply_async


def wrap() -> None:
    """Have `sending_group` and `sending_chain` know of what is sent."""
    _Chain.apply_async = _apply_chain_async
    if _takes_id(_original):
        group.apply_async = _apply_async
    else:
        logger.warning("groups of this version of Celery are not shown as parents of their members")


def unwrap() -> None:
    """Undo `wrap`."""
    _Chain.apply_async = _original_of_chains
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


@wraps(_original_of_chains)
def _apply_chain_async(self: Any, *args: Any, **options: Any) -> Any:
    if find_sending() is not None:  # what sends the canvas sees to it
        return _original_of_chains(self, *args, **options)
    with sending_chain():
        return _original_of_chains(self, *args, **options)


def is_canvas(task: object) -> bool:
    """Whether this is a signature of more than one task; a map is one."""
    return isinstance(task, Signature) and task.task in CANVASES


def find_parts(canvas: Any) -> list[Any]:
    """Return the signatures of the parts of a canvas; none where a generator makes them."""
    tasks = getattr(canvas, "tasks", None)
    tasks = getattr(tasks, "tasks", tasks)  # a chord's header may be a group
    return list(tasks) if type(tasks) is list or type(tasks) is tuple else []
