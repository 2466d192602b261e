"""Users as they are stored with a task: by their primary key, as text."""

from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, ValidationError

from ..snapshot import ANYONE, GONE
from ..utils.lazy import per_process

#: What says of a task that it belongs to no user.
_NO_KEYS = (GONE, ANYONE)


def identify_owner(owner: object) -> str | None:
    """Return the stored form of an owner: a user's primary key as text, or None.

    Args:
        owner: a user, its primary key, or None. Without Django's users, any key, or whatever calls itself a user.

    Raises:
        ValueError: `owner` is an unsaved user, such as an AnonymousUser, or no user of this site.
    """
    if owner is None:
        return None
    if isinstance(owner, str | int | UUID) and not isinstance(owner, bool):
        return to_user_key(owner)
    model = find_user_model()
    is_user = hasattr(owner, "is_authenticated") if model is None else isinstance(owner, model)
    key = getattr(owner, "pk", None) if is_user else None
    if key is None or (text := str(key)) in _NO_KEYS:
        raise _make_error(owner)
    return text


def to_user_key(value: object) -> str:
    """Return what may be the primary key of a user, as text, in the one form that the user's own key has.

    Raises:
        ValueError: no user of this site can have this key.
    """
    model = find_user_model()
    try:
        text = str(value)  # a UUID would pass for a number
        key = text if model is None else str(model._meta.pk.to_python(text))
    except (ValidationError, TypeError, ValueError) as error:
        raise _make_error(value) from error
    if value is None or key in _NO_KEYS:
        raise _make_error(value)
    return key


def find_user_model() -> Any:
    """Return the class of the site's users; None if it does not use those of Django."""
    return _find_models()[0]


@per_process("AUTH_USER_MODEL", "INSTALLED_APPS")
def _find_models() -> tuple[Any]:
    """Return the class, or None, in a tuple: it is asked for with each task, and Django looks it up each time."""
    try:
        return (get_user_model(),)
    except ImproperlyConfigured:
        return (None,)


def _make_error(owner: object) -> ValueError:
    return ValueError(f"owner must be None, a saved user or a primary key, not {owner!r}")
