"""The ownership of tasks."""

from datetime import datetime, timedelta

from django.http import HttpRequest
from django.utils import timezone

from ..snapshot import Snapshot
from .request_user import get_user_key

#: By how much the clocks of a web process and of the process that made a task may differ.
_TOLERANCE = timedelta(minutes=1)


def is_owner(request: HttpRequest, snapshot: Snapshot) -> bool:
    """Return whether the task is the caller's, and not that of a deleted user who had the same key."""
    key = get_user_key(request)
    return key is not None and key == snapshot.owner and not _has_joined_since(request, snapshot.created_at)


def _has_joined_since(request: HttpRequest, time: datetime) -> bool:
    joined = getattr(request.user, "date_joined", None)
    if not isinstance(joined, datetime):
        return False
    if timezone.is_naive(joined):
        joined = timezone.make_aware(joined, timezone.get_default_timezone())
    return joined > time + _TOLERANCE
