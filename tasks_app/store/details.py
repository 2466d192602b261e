"""The stored details of the attempts of a task, for staff alone."""

import logging
from typing import Any

from ..snapshot import Snapshot
from ..utils.json import decode_json
from .keys import make_details_key
from .store import get_store

logger = logging.getLogger("tasks_app")

#: The most attempts of a task, the latest ones, whose details are read.
MAX_ATTEMPTS = 20


def find_details(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the details of the attempts of a task, the first one first, as JSON objects; some may be missing."""
    numbers = range(max(snapshot.attempt - MAX_ATTEMPTS + 1, 0), snapshot.attempt + 1)
    keys = [make_details_key(snapshot.task_id, number) for number in numbers]
    found = get_store().cache.get_many(keys)
    return [item for key in keys if (item := _decode(key, found.get(key))) is not None]


async def afind_details(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Do what `find_details` does, without blocking the event loop."""
    return await get_store().acall_unless_late(find_details, snapshot)


def _decode(key: str, text: Any) -> dict[str, Any] | None:
    """Return the details in a stored text; None for none, and for what can't be decoded, which is logged."""
    if text is None:
        return None
    try:
        return dict(decode_json(text))
    except (TypeError, ValueError, RecursionError):
        logger.exception("%s: the stored details can't be decoded", key)
        return None
