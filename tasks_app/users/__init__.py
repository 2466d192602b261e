"""The users of the site: who asks, whose a task is, and what the permissions of staff allow."""

from .fresh_user import FreshUser, load_fresh, name_caller
from .keys import find_user_model, identify_owner
from .owners import is_owner
from .request_user import get_user_key, load_user
from .staff import (
    CANCEL_TASK,
    MAY_CANCEL_TASK,
    MAY_VIEW_TASK,
    VIEW_TASK,
    lacks_permission,
    may_cancel_all,
    may_view_all,
)

__all__ = [
    "CANCEL_TASK",
    "MAY_CANCEL_TASK",
    "MAY_VIEW_TASK",
    "VIEW_TASK",
    "FreshUser",
    "find_user_model",
    "get_user_key",
    "identify_owner",
    "is_owner",
    "lacks_permission",
    "load_fresh",
    "load_user",
    "may_cancel_all",
    "may_view_all",
    "name_caller",
]
