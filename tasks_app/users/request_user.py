"""The user of a request, as whichever middleware has put it there."""

from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from .keys import find_user_model, identify_owner, to_user_key
from .staff import has_to_load_permissions, load_permissions

#: What is asked of a user in the event loop, where none of it may be deferred.
_FIELDS = {"date_joined", "is_active", "is_staff", "is_superuser"}


async def load_user(request: HttpRequest) -> None:
    """Load `request.user`, and the permissions of staff, so that sync code may read them in the event loop.

    A user that was set by a middleware other than Django's is kept.
    """
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        if user.__dict__["_setupfunc"].__module__ == "django.contrib.auth.middleware":
            request.user = await request.auser()
        else:
            await sync_to_async(lambda: bool(user))()  # this middleware may query the database
    if _find_deferred(request) or has_to_load_permissions(request):
        await sync_to_async(load_rest)(request)


def get_user_key(request: HttpRequest) -> str | None:
    """Return the primary key of the logged-in user as text, or None.

    A model other than that of the site's users has keys of its own: with one of these, nobody is logged in here. Nor
    is anybody whose user could own no task, such as one that was not saved.
    """
    user: Any = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    # What is no model may stand for a user, such as one of whom only a token is known.
    stands_in = find_user_model() is not None and not isinstance(user, Model)
    try:
        return to_user_key(user.pk) if stands_in else identify_owner(user)
    except ValueError:
        return None


def _find_deferred(request: HttpRequest) -> set[str]:
    user = getattr(request, "user", None)
    return _FIELDS & user.get_deferred_fields() if isinstance(user, Model) else set()


def load_rest(request: HttpRequest) -> None:
    """Load what `load_user` loads besides the user."""
    for name in _find_deferred(request):
        getattr(request.user, name)
    if has_to_load_permissions(request):
        load_permissions(request)
