"""What is stored of an attempt for staff."""

import json
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache

#: Has the arguments and the traceback of a job recorded.
RECORDED = {"RECORD_TRACEBACKS": True, "RECORD_ARGUMENTS": True}


def read_details(task_id: str = "t1", attempt: int = 1) -> dict[str, Any]:
    """Return the details of an attempt in the cache of this process."""
    return dict(json.loads(caches["default"].get(f"tasks_app:details:{task_id}:{attempt}")))


def read_details_at(url: str, task_id: str, attempt: int = 1) -> dict[str, Any]:
    """Return the details of an attempt in the cache of other processes."""
    cache = RedisCache(url, {})
    try:
        return dict(json.loads(cache.get(f"tasks_app:details:{task_id}:{attempt}")))
    finally:
        cache.close()


def list_arguments(details: dict[str, Any]) -> dict[str, str]:
    """Return the values of recorded arguments, by name."""
    return {argument["name"]: argument["value"] for argument in details["arguments"]}
