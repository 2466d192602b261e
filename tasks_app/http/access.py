"""The access to a task: by the policy or a token, its own or one of a task above it."""

from collections.abc import Callable

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
    return await _may(request, snapshot, "can_view", has_token)


async def can_cancel(request: HttpRequest, snapshot: Snapshot) -> bool:
    """Return whether the caller may cancel a task, or one above it.

    Raises:
        Problem: the cache failed.
    """
    return await _may(request, snapshot, "can_cancel", has_control)


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


async def _may(request: HttpRequest, snapshot: Snapshot, method: str, has: Callable[[HttpRequest, str], bool]) -> bool:
    """Return whether a token, or a method of the policy, says yes to a task, or else to one above it."""
    if has(request, snapshot.task_id) or await is_allowed(method, request, snapshot):
        return True
    for item in await find_ancestors(snapshot):
        if has(request, item.task_id) or await is_allowed(method, request, item):
            return True
    return False
