"""The parts of a canvas that others send later: the steps of a chain, and the callback of a chord."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from ...integration import Gathering, Snapshot, gather, get_flusher, make_label
from .common import RUNNER, is_tracked
from .signatures import FoundCanvas, FoundTask, link, name_canvas

#: The kinds of canvases.
CHAIN, CHORD, GROUP = "chain", "chord", "group"


def open_chain(
    first: str,
    begun: Sequence[Any],
    steps: Sequence[Any],
    taken: Gathering | None,
    above: Gathering | None,
    tasks: Sequence[Snapshot] = (),
) -> Gathering:
    """Return the parent of the steps of a chain, which the caller closes unless it was `taken`.

    Args:
        first: the id of the first step.
        begun: the signatures of its parts.
        steps: the signatures of the others, in their order.
        taken: the parent that `start()` has made for the chain, or None.
        above: the parent of the chain, or None.
        tasks: what has to be ended of the first step if it is not sent.
    """
    name = name_canvas(CHAIN, [*begun, *steps])
    if taken is not None:
        taken.rename(name)
    chain = taken or gather(f"{first}-chain", name, expected=1 + len(steps), above=above)
    with nullcontext() if taken is not None else chain.given_up():
        chain.tell(first, first=first, tasks=tasks)
        later = [item for step in steps for item in tell_later(chain, step, first=first if tasks else None)]
        if taken is None and above is not None:
            above.tell(chain.task_id, first=first, tasks=[*tasks, *later])
    return chain


def tell_later(gathering: Gathering, signature: Any, *, first: str | None = None) -> list[Snapshot]:
    """Tell a parent of a part that others send later, and return what has to be ended of it if they don't."""
    if (part := link(signature, gathering.task_id, is_tracked)) is None:
        return []
    tasks = [make_unsent(task) for task in open_part(part, gathering)]
    gathering.tell(part.id, first=first, tasks=tasks)
    return tasks


def open_part(part: FoundTask | FoundCanvas, above: Gathering) -> list[FoundTask]:
    """Store the parents in a part that is sent later, and return its tasks."""
    if isinstance(part, FoundTask):
        return [part]
    tasks = []
    with gather(part.id, part.name, expected=len(part.parts), above=above).given_up() as gathering:
        for item in part.parts:
            tasks += open_part(item, gathering)
            gathering.tell(item.id)
    gathering.close()
    return tasks


def make_unsent(task: FoundTask) -> Snapshot:
    now, label = get_flusher().clock.now(), make_label(task.label)
    return Snapshot.queued(task.id, task.name, now=now, label=label, parent=task.parent, runner=RUNNER)
