"""The tasks that Celery promised to send after another, in a chain or a chord, and does not send if that fails.

Celery marks them in its result backend, without a signal; they may be the rest of a task that has replaced itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ...integration import Snapshot, State, adopt_promised
from .common import RUNNER, is_tracked

#: The kinds of signatures that consist of others, which they hold in their arguments.
_COMPOUNDS = {"chain": ("tasks",), "group": ("tasks",), "chord": ("header", "body")}


def end_followers(request: Any, ended: Snapshot) -> None:
    """End the tasks that were to follow this one as it ended, unless it succeeded.

    Args:
        request: the request of the task, with the signatures that follow it.
        ended: its snapshot; of a task that goes on, nothing follows from it.
    """
    if not ended.is_terminal or ended.state is State.SUCCEEDED:
        return
    for task_id, name in dict(find_followers(request)).items():
        known = Snapshot.queued(task_id, name, now=ended.updated_at, owner=ended.owner, runner=RUNNER)
        adopt_promised(known).end_like(ended)


def find_followers(request: Any) -> Iterator[tuple[str, str]]:
    """Yield the id and the name of each task that is to follow this one."""
    for signature in [*(request.chain or []), request.chord]:
        yield from _walk(signature)


def _walk(signature: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if not signature:
        return
    options, kind = signature.get("options") or {}, signature.get("subtask_type")
    if kind in _COMPOUNDS:
        yield from _walk_parts(signature.get("kwargs") or {}, _COMPOUNDS[kind])
    elif (task_id := options.get("task_id")) and is_tracked(signature["task"], task_id):
        yield task_id, signature["task"]
    for item in [*(options.get("chain") or []), options.get("chord")]:
        yield from _walk(item)


def _walk_parts(kwargs: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        part = kwargs.get(name)
        for item in part if isinstance(part, list | tuple) else [part]:
            yield from _walk(item)
