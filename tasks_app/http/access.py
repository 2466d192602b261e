"""The access to a task: by the policy or a token, its own or one of a task above it."""

from django.http import HttpRequest

from ..permissions import is_allowed
from ..snapshot import Snapshot
from ..store import decode, get_store
from ..tokens import has_control, has_token
from .problems import store_access

#: The most tasks above one that are looked at.
MAX_DEPTH = 20


async def can_view(request: HttpRequest, snapshot: Snapshot) -> bool:
    """Return whether the caller may see a task, or one above it.

    Raises:
        Problem: the cache failed.
    """
    if has_token(request, snapshot.task_id) or await is_allowed("can_view", request, snapshot):
        return True
    ancestors = await find_ancestors(snapshot)
    return any([has_token(request, item.task_id) or await is_allowed("can_view", request, item) for item in ancestors])


async def can_cancel(request: HttpRequest, snapshot: Snapshot) -> bool:
    """Return whether the caller may cancel a task, or one above it.

    Raises:
        Problem: the cache failed.
    """
    if has_control(request, snapshot.task_id) or await is_allowed("can_cancel", request, snapshot):
        return True
    ancestors = await find_ancestors(snapshot)
    return any(
        [has_control(request, item.task_id) or await is_allowed("can_cancel", request, item) for item in ancestors]
    )


async def find_ancestors(snapshot: Snapshot) -> list[Snapshot]:
    """Return the parent of a task, the parent of that, and so on; those that the cache has.

    Raises:
        Problem: the cache failed.
    """
    found: dict[str, Snapshot] = {}
    above = snapshot.parent
    while above is not None and above not in found and len(found) < MAX_DEPTH:
        with store_access():
            texts = await get_store().aread([above])
        if (parent := decode(above, texts.get(above))) is None:
            break
        found[above] = parent
        above = parent.parent
    return list(found.values())
