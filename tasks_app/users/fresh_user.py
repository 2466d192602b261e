"""The user of a request that was answered long ago, as the session and the database tell now."""

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from django.contrib.auth import SESSION_KEY, get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Model
from django.http import HttpRequest

from .request_user import load_rest
from .staff import copy_permissions


class FreshUser(NamedTuple):
    """The user whom a request would have if it came now."""

    #: A request with this user and session alone, if the site has them, and with what was loaded of the user.
    sample: HttpRequest

    def enter(self, request: HttpRequest) -> None:
        """Make the request one of this user; whatever else middleware has set on it stays."""
        if hasattr(self.sample, "session"):
            request.session = self.sample.session
        if hasattr(self.sample, "user"):
            request.user = self.sample.user
            request.auser = self._get_user
            copy_permissions(self.sample, request)

    async def _get_user(self) -> Any:
        return self.sample.user


def name_caller(request: HttpRequest) -> Hashable:
    """Return a value that is the same for requests of one user and session."""
    user, session = getattr(request, "user", None), getattr(request, "session", None)
    user_class = None if user is None else user.__class__  # not its type, which may be a lazy object's
    return user_class, _name_user(user), getattr(session, "session_key", None)


def _name_user(user: Any) -> Hashable:
    """Return the key of a user; of one whom no database knows only this very object tells what there is to know."""
    is_known = _is_stored(user) or not getattr(user, "is_authenticated", False)
    return getattr(user, "pk", None) if is_known else id(user)


def _is_stored(user: Any) -> bool:
    return isinstance(user, Model) and not user._state.adding


def load_fresh(request: HttpRequest) -> FreshUser:
    """Return the user of an old request as of now; one who is not logged in any more, or not active, is anonymous.

    A user who came with the session is found by Django's own rules: the session is still stored, and the password is
    that of the login. Any other, whom a middleware found in its own way, is read from the database.

    Raises:
        Exception: raised by the database, or where sessions are stored.
    """
    sample = HttpRequest()
    if (old := getattr(request, "session", None)) is not None:
        sample.session = old.__class__(old.session_key)
    if (user := getattr(request, "user", None)) is not None:
        key = None if old is None else old.get(SESSION_KEY)
        sample.user = _reload(user) if key is None else _find_logged_in(user, key, sample.session)
        load_rest(sample)
    return FreshUser(sample)


def _find_logged_in(user: Any, key: str, session: SessionBase) -> Any:
    found = _find_user(dict(session.items()))
    is_other = found.is_authenticated and str(user.pk) != key  # such as one whose part a member of staff takes
    return _reload(user) if is_other else found


def _reload(user: Any) -> Any:
    if not _is_stored(user):
        return user  # nobody, or one whom no database knows
    found = user.__class__._base_manager.using(user._state.db).filter(pk=user.pk).first()
    return found if found is not None and getattr(found, "is_active", True) else _find_user({})


def _find_user(stored: Mapping[str, Any]) -> Any:
    request = HttpRequest()
    request.session = _Copy(stored)
    return get_user(request)


class _Copy(SessionBase):
    """A copy of a session: where Django would renew or delete it, no browser would hear of its new key."""

    def __init__(self, stored: Mapping[str, Any]) -> None:
        super().__init__()
        self.update(stored)

    def cycle_key(self) -> None:
        pass

    def delete(self, session_key: str | None = None) -> None:
        pass
