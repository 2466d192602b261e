"""Who may start, see, cancel and list tasks, and the tokens that let a page show one task to anybody."""

from collections.abc import Callable, Iterator, Sequence
from inspect import iscoroutinefunction
from itertools import compress
from operator import itemgetter
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from django.core import signing
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string

from .conf import get_settings
from .snapshot import Snapshot

F = TypeVar("F", bound=Callable[..., Any])

_SALT = "tasks_app.token"

#: The attribute of a request that holds what its tokens say: task → when it expires.
_TOKENS = "_tasks_app_tokens"


def _in_place(method: F) -> F:
    """Mark a method that needs nothing but the user, which is loaded before, so that it may run in the event loop."""
    method.in_place = True  # type: ignore[attr-defined]
    return method


class Policy:
    """The default rules; name a subclass in `POLICY` to change them.

    A method may be sync, and then runs in a thread, so that it may ask the database; or it may be `async def`.
    """

    @_in_place
    def can_start(self, request: HttpRequest, name: str) -> bool:
        """May this caller start the task called `name`? Those who are logged in, or all with ALLOW_ANONYMOUS_START."""
        return get_user_key(request) is not None or get_settings().ALLOW_ANONYMOUS_START

    @_in_place
    def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        """May this caller see the task? Its owner and staff; a task without owner, whoever knows its id."""
        return _is_owner_or_staff(request, snapshot)

    @_in_place
    def can_cancel(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        """May this caller cancel the task? The same people."""
        return _is_owner_or_staff(request, snapshot)

    @_in_place
    def can_list(self, request: HttpRequest) -> bool:
        """May this caller list tasks? Staff."""
        return is_staff(request)


async def is_allowed(question: str, request: HttpRequest, *args: Any) -> bool:
    """Put a question, such as "can_view", to the policy in force."""
    (answer,) = await _decide_each(question, request, [args])
    return answer


def is_allowed_now(question: str, request: HttpRequest, *args: Any) -> bool:
    """Do what `is_allowed` does, from sync code, where the user is loaded or may be."""
    method = _find_method(question)
    return bool((async_to_sync(method) if iscoroutinefunction(method) else method)(request, *args))


async def select(question: str, request: HttpRequest, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return those of many tasks for which the policy says yes, in this order; a sync policy costs one thread."""
    answers = await _decide_each(question, request, [(snapshot,) for snapshot in snapshots])
    return list(compress(snapshots, answers))


async def _decide_each(question: str, request: HttpRequest, cases: Sequence[tuple[Any, ...]]) -> list[bool]:
    method = _find_method(question)
    if iscoroutinefunction(method):
        return [bool(await method(request, *case)) for case in cases]

    def answer() -> list[bool]:
        return [bool(method(request, *case)) for case in cases]

    return answer() if needs_only_user(question) else await sync_to_async(answer)()


def needs_only_user(question: str) -> bool:
    """Does the policy in force look at the user and at the task's owner alone? Otherwise it may look at anything."""
    return getattr(_find_method(question), "in_place", False)


def _find_method(question: str) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(import_string(get_settings().POLICY)(), question)
    return method


async def load_user(request: HttpRequest) -> None:
    """Load `request.user`, so that sync code may look at it in the event loop.

    Where a middleware has put another user there than Django's, that one counts.
    """
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        if user.__dict__["_setupfunc"].__module__ == "django.contrib.auth.middleware":
            request.user = await request.auser()
        else:
            await sync_to_async(lambda: bool(user))()  # whatever the middleware does to find the user


def get_user_key(request: HttpRequest) -> str | None:
    """Return the primary key of the user who is logged in, as text."""
    user = getattr(request, "user", None)
    return str(user.pk) if user is not None and user.is_authenticated else None


def is_staff(request: HttpRequest) -> bool:
    """Is the caller an active member of staff?"""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return False
    return getattr(user, "is_staff", False) and getattr(user, "is_active", True)


def make_token(task_id: str, *, max_age: float = 900) -> str:
    """Return a signed token that lets its bearer see this one task, for `max_age` seconds.

    It is sent as `?token=`, of which a stream of many tasks may have several, or as `Authorization: Bearer`.
    """
    return signing.dumps([task_id, timezone.now().timestamp() + max_age], salt=_SALT)


def has_token(request: HttpRequest, task_id: str) -> bool:
    """Does the request carry a token for this task that has not expired? It may carry one for each of many tasks."""
    if (tokens := getattr(request, _TOKENS, None)) is None:
        found = filter(None, map(_read_token, _find_tokens(request)))
        tokens = dict(sorted(found, key=itemgetter(1)))  # of two for one task, the one that is good for longer
        setattr(request, _TOKENS, tokens)  # a stream asks for each of its tasks
    return task_id in tokens and timezone.now().timestamp() < tokens[task_id]


def opens(token: str, task_id: str) -> bool:
    """Is this a token for this task that has not expired?"""
    content = _read_token(token)
    return content is not None and content[0] == task_id and timezone.now().timestamp() < content[1]


def _read_token(token: str) -> tuple[str, float] | None:
    """Return the task that a token is for and when it expires, or None for what is no token."""
    try:
        task_id, expires_at = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        return None
    return task_id, expires_at


def _find_tokens(request: HttpRequest) -> Iterator[str]:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":  # it may be another app's, too
        yield credentials.strip()
    yield from request.GET.getlist("token")


def _is_owner_or_staff(request: HttpRequest, snapshot: Snapshot) -> bool:
    return snapshot.owner is None or get_user_key(request) == snapshot.owner or is_staff(request)
