"""Staff, and the permissions by which they see and cancel the tasks of everybody."""

from typing import Any

from django.http import HttpRequest

#: The codenames of the permissions, and what `user.has_perm` takes.
VIEW_TASK, CANCEL_TASK = "view_task", "cancel_task"
MAY_VIEW_TASK, MAY_CANCEL_TASK = f"tasks_app.{VIEW_TASK}", f"tasks_app.{CANCEL_TASK}"

#: The request attribute that keeps a user and the permissions that this user has.
_PERMISSIONS = "_tasks_app_permissions"


def may_view_all(request: HttpRequest) -> bool:
    """Return whether the caller is active staff that may see the tasks of everybody."""
    return _is_permitted(request, MAY_VIEW_TASK)


def may_cancel_all(request: HttpRequest) -> bool:
    """Return whether the caller is active staff that may cancel the tasks of everybody."""
    return _is_permitted(request, MAY_CANCEL_TASK)


def lacks_permission(request: HttpRequest, permission: str) -> bool:
    """Return whether the caller is active staff without this permission."""
    return _is_staff(request) and not _is_permitted(request, permission)


def has_to_load_permissions(request: HttpRequest) -> bool:
    """Return whether `load_permissions` is needed, which may query the database, before they can be asked for."""
    return _is_staff(request) and not _is_superuser(request) and _find_permissions(request) is None


def load_permissions(request: HttpRequest) -> frozenset[str]:
    """Return which of the two permissions the caller has, and keep that with the request."""
    user: Any = request.user
    has_perm = getattr(user, "has_perm", None)  # a model of one's own may know no permissions
    found = frozenset(filter(has_perm, (MAY_VIEW_TASK, MAY_CANCEL_TASK)) if has_perm else ())
    setattr(request, _PERMISSIONS, (user, found))
    return found


def copy_permissions(source: HttpRequest, target: HttpRequest) -> None:
    """Keep with a request what `load_permissions` has found for another one of the same user."""
    setattr(target, _PERMISSIONS, getattr(source, _PERMISSIONS, (None, None)))


def _is_permitted(request: HttpRequest, permission: str) -> bool:
    if not _is_staff(request):
        return False
    if _is_superuser(request):
        return True
    found = _find_permissions(request)
    return permission in (load_permissions(request) if found is None else found)


def _find_permissions(request: HttpRequest) -> frozenset[str] | None:
    """Return what is known of this user's permissions; another user may have logged in since."""
    user, found = getattr(request, _PERMISSIONS, (None, None))
    return found if user is getattr(request, "user", None) else None


def _is_staff(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return False
    return bool(getattr(user, "is_staff", False) and getattr(user, "is_active", True))


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
