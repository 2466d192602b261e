"""The rules for starting, seeing, cancelling and listing tasks, and the tokens that show tasks to their bearer."""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from inspect import isawaitable, iscoroutinefunction
from itertools import compress
from typing import Any, TypeAlias, TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from django.core import signing
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string

from .conf import MAX_SECONDS, get_settings
from .snapshot import Snapshot
from .utils.lazy import per_process
from .utils.query import Query

logger = logging.getLogger("tasks_app")

F = TypeVar("F", bound=Callable[..., Any])

#: Names the version of the tokens: one of another version has a signature that does not fit.
_SALT = "tasks_app.token.v1"

#: The characters of a task in a token.
MARK_LENGTH = 16

#: The request attribute that caches what its tokens allow.
_RIGHTS = "_tasks_app_rights"


def _in_place(method: F) -> F:
    """Mark a method as safe in the event loop: it needs only the user, which is loaded before the call."""
    method.in_place = True  # type: ignore[attr-defined]
    return method


#: What a rule returns. For type checkers it is a bool to those who ask the default rules, and may be a coroutine to
#: those who override them.
Decision: TypeAlias = bool | Any


class Policy:
    """The default rules; name a subclass in `POLICY` to change them.

    Methods of a subclass may be sync or `async def`. Sync ones run in a thread, so they may query the database. Each
    returns a bool; anything else refuses, and is logged.
    """

    @_in_place
    def can_start(self, request: HttpRequest, name: str) -> Decision:
        """Return whether the caller may start the task called `name`.

        Logged-in users may; with ALLOW_ANONYMOUS_START every caller may.
        """
        return get_user_key(request) is not None or get_settings().ALLOW_ANONYMOUS_START

    @_in_place
    def can_view(self, request: HttpRequest, snapshot: Snapshot) -> Decision:
        """Return whether the caller may see the task.

        Its owner and staff may; a task without an owner is open to every caller that knows its id. A valid token
        shows the task without asking the policy.
        """
        return _is_owner_or_staff(request, snapshot)

    @_in_place
    def can_cancel(self, request: HttpRequest, snapshot: Snapshot) -> Decision:
        """Return whether the caller may cancel the task; the same rule as `can_view`, but tokens do not count."""
        return _is_owner_or_staff(request, snapshot)

    @_in_place
    def can_list(self, request: HttpRequest) -> Decision:
        """Return whether the caller may list tasks; only staff may."""
        return is_staff(request)


async def is_allowed(rule: str, request: HttpRequest, *args: Any) -> bool:
    """Return whether the policy allows something to the caller.

    Args:
        rule: the policy's method, such as "can_view".
        args: the arguments of that method, after the request.
    """
    (decision,) = await _decide_each(rule, request, [args])
    return decision


def is_allowed_now(rule: str, request: HttpRequest, *args: Any) -> bool:
    """Do what `is_allowed` does, from sync code, where `request.user` is loaded or may be loaded."""
    answer = _find_method(rule)(request, *args)
    return _is_yes(rule, async_to_sync(_wait_for)(answer) if isawaitable(answer) else answer)


async def select(rule: str, request: HttpRequest, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the tasks that the policy allows, in the same order; a sync rule checks all of them in one thread."""
    decisions = await _decide_each(rule, request, [(snapshot,) for snapshot in snapshots])
    return list(compress(snapshots, decisions))


async def _decide_each(rule: str, request: HttpRequest, cases: Sequence[tuple[Any, ...]]) -> list[bool]:
    method = _find_method(rule)

    asked = (method(request, *case) for case in cases)
    # A decorator may hide that a method is async; then it is called in a thread, and awaited here all the same.
    in_loop = iscoroutinefunction(method) or needs_only_user(rule)
    answers = asked if in_loop else await sync_to_async(lambda: list(asked))()
    return [_is_yes(rule, await answer if isawaitable(answer) else answer) for answer in answers]


async def _wait_for(answer: Awaitable[object]) -> object:
    return await answer


def _is_yes(rule: str, answer: object) -> bool:
    """Return whether the policy said yes: what is no bool, such as a forgotten coroutine, is a no."""
    if not isinstance(answer, bool):
        kind = type(answer).__name__
        logger.error("POLICY %r: %s returned a %s, not a bool; it refuses", get_settings().POLICY, rule, kind)
        return False
    return answer


def needs_only_user(rule: str) -> bool:
    """Return whether a rule depends only on the user and the task's owner; rules of a subclass may use anything."""
    return getattr(_find_method(rule), "in_place", False)


def _find_method(rule: str) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(import_string(get_settings().POLICY)(), rule)
    return method


async def load_user(request: HttpRequest) -> None:
    """Load `request.user`, so that sync code may read it in the event loop.

    A user that was set by a middleware other than Django's is kept.
    """
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        if user.__dict__["_setupfunc"].__module__ == "django.contrib.auth.middleware":
            request.user = await request.auser()
        else:
            await sync_to_async(lambda: bool(user))()  # this middleware may query the database


def get_user_key(request: HttpRequest) -> str | None:
    """Return the primary key of the logged-in user as text, or None."""
    user = getattr(request, "user", None)
    return str(user.pk) if user is not None and user.is_authenticated else None


def is_staff(request: HttpRequest) -> bool:
    """Return whether the caller is active staff."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return False
    return bool(getattr(user, "is_staff", False) and getattr(user, "is_active", True))


def make_token(task_id: str, *, max_age: float | None = None) -> str:
    """Return a signed token that lets its bearer see one task; it does not allow cancelling.

    Send it as the query parameter `token`, or as `Authorization: Bearer`. A stream of several tasks takes several
    parameters `token`.

    Args:
        task_id: the id of the task.
        max_age: seconds until the token expires, by default TOKEN_MAX_AGE.
    """
    return make_joint_token([task_id], max_age=max_age)


def make_joint_token(task_ids: Iterable[str], *, max_age: float | None = None) -> str:
    """Do what `make_token` does, for several tasks: the token of a hundred fits into a URL."""
    lifetime = min(get_settings().TOKEN_MAX_AGE if max_age is None else max_age, MAX_SECONDS)
    expires_at = int((timezone.now().timestamp() + lifetime) * 1000)  # never longer
    return _get_signer().sign(f"{expires_at}.{''.join(map(_make_mark, task_ids))}")


class TokenRights:
    """What some tokens allow: to see tasks, each of them until the last of its tokens expires."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._expiries: dict[str, float] = {}
        for expires_at, marks in filter(None, map(_read_token, tokens)):
            for mark in marks:
                self._expiries[mark] = max(expires_at, self._expiries.get(mark, 0.0))

    def get_lifetime(self, task_id: str) -> float | None:
        """Return for how many seconds more the task may be seen; None if it may not."""
        return find_lifetime(self.get_expiry(task_id))

    def get_expiry(self, *task_ids: str) -> float:
        """Return the time, in seconds since 1970, until which all these tasks may be seen; 0 if not all ever were."""
        return min(self._expiries.get(_make_mark(task_id), 0.0) for task_id in task_ids) if self._expiries else 0.0


def find_lifetime(expires_at: float) -> float | None:
    """Return the seconds until a time that `get_expiry` returned; None if it has passed."""
    left = expires_at - timezone.now().timestamp()
    return left if left > 0 else None


def get_token_rights(request: HttpRequest) -> TokenRights:
    """Return what the tokens of a request allow, which are read once."""
    rights: TokenRights | None = getattr(request, _RIGHTS, None)
    if rights is None:
        rights = read_tokens(request.META.get("HTTP_AUTHORIZATION", ""), request.GET)
        setattr(request, _RIGHTS, rights)
    return rights


def read_tokens(authorization: str, query: Query) -> TokenRights:
    """Return what the tokens of a request allow.

    Args:
        authorization: the header of that name, or nothing.

    Raises:
        SuspiciousOperation: there are more than MAX_TASKS_PER_STREAM; none of them is looked at.
    """
    tokens, limit = list(_find_tokens(authorization, query)), get_settings().MAX_TASKS_PER_STREAM
    if len(tokens) > limit:
        raise SuspiciousOperation(f"The request has {len(tokens)!r} tokens; at most {limit!r} are allowed.")
    return TokenRights(tokens)


def has_token(request: HttpRequest, task_id: str) -> bool:
    """Return whether the request carries a valid token for this task, perhaps among tokens for others."""
    return get_token_rights(request).get_lifetime(task_id) is not None


def opens(token: str, task_id: str) -> bool:
    """Return whether `token` is for this task and has not expired."""
    return TokenRights([token]).get_lifetime(task_id) is not None


def _make_mark(task_id: str) -> str:
    """Return the short name of a task in a token: as a digest, so that any id takes MARK_LENGTH characters."""
    digest = blake2b(task_id.encode("utf-8", "surrogatepass"), digest_size=12).digest()
    return urlsafe_b64encode(digest).decode("ascii")


def _read_token(token: str) -> tuple[float, list[str]] | None:
    """Return the expiry of a token and the marks of its tasks, or None if its signature is bad."""
    try:
        text = _get_signer().unsign(token)
    except signing.BadSignature:
        return None
    expires_at, _, marks = text.partition(".")
    return int(expires_at) / 1000, [marks[start : start + MARK_LENGTH] for start in range(0, len(marks), MARK_LENGTH)]


@per_process("SECRET_KEY", "SECRET_KEY_FALLBACKS")
def _get_signer() -> signing.Signer:
    """Return the signer of all tokens: to make one for each costs half of reading it."""
    return signing.Signer(salt=_SALT)


def _find_tokens(authorization: str, query: Query) -> Iterator[str]:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":  # it may belong to another app
        yield credentials.strip()
    yield from query.getlist("token")


def _is_owner_or_staff(request: HttpRequest, snapshot: Snapshot) -> bool:
    return snapshot.owner is None or get_user_key(request) == snapshot.owner or is_staff(request)
