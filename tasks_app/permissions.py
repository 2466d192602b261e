"""The rules for starting, seeing, cancelling and listing tasks."""

import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from inspect import isawaitable, iscoroutinefunction
from itertools import compress
from time import monotonic
from typing import Any, TypeAlias, TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.utils.module_loading import import_string

from .conf import get_settings
from .snapshot import ANYONE, Snapshot
from .users import MAY_CANCEL_TASK, MAY_VIEW_TASK, get_user_key, is_owner, may_cancel_all, may_view_all
from .utils.addresses import name_address

logger = logging.getLogger("tasks_app")

F = TypeVar("F", bound=Callable[..., Any])

#: What lets staff pass a default rule.
STAFF_PERMISSIONS = {"can_view": MAY_VIEW_TASK, "can_list": MAY_VIEW_TASK, "can_cancel": MAY_CANCEL_TASK}


def _in_place(method: F) -> F:
    """Mark a method as safe in the event loop: it needs only the user, whom `load_user` loads before the call."""
    method.in_place = True  # type: ignore[attr-defined]
    return method


#: What a rule returns. For type checkers it is a bool to those who ask the default rules, and may be a coroutine to
#: those who override them.
Decision: TypeAlias = bool | Any


class Policy:
    """The default rules; name a subclass in `POLICY` to change them.

    Methods of a subclass may be sync or `async def`. Sync ones run in a thread, so they may query the database. Each
    returns a bool; anything else refuses, and is logged. To raise `PermissionDenied` or `Http404` is a no as well.
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

        Its owner may, and staff with the permission `tasks_app.view_task`. A task that a visitor has started is open
        to every caller that knows its id; one without an owner only if OWNERLESS is "id". A valid token shows the task
        without asking the policy.
        """
        return is_owner(request, snapshot) or may_view_all(request) or _is_open(snapshot)

    @_in_place
    def can_cancel(self, request: HttpRequest, snapshot: Snapshot) -> Decision:
        """Return whether the caller may cancel the task.

        Its owner may, and staff with the permission `tasks_app.cancel_task`. A valid token of the scope "control"
        cancels the task without asking the policy.
        """
        return is_owner(request, snapshot) or may_cancel_all(request)

    @_in_place
    def can_list(self, request: HttpRequest) -> Decision:
        """Return whether the caller may list tasks; only staff with the permission `tasks_app.view_task` may."""
        return may_view_all(request)

    @_in_place
    def identify(self, request: HttpRequest) -> Any:
        """Return the name of the client that a request counts for: of the limits that each client has for itself.

        A logged-in user counts as one, and else the address in REMOTE_ADDR, of IPv6 its /64. Behind a proxy that is
        the proxy's own: have the server take the client's from a header of the proxy, or override this. Return any
        text; it is kept in memory and, as a hash, in the cache.
        """
        key = get_user_key(request)
        return name_address(request.META.get("REMOTE_ADDR", "")) if key is None else f"user:{key}"


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
    try:
        answer = _find_method(rule)(request, *args)
        return _is_yes(rule, async_to_sync(_wait_for)(answer) if isawaitable(answer) else answer)
    except _find_refusals(rule):
        return False


async def select(rule: str, request: HttpRequest, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the tasks that the policy allows, in the same order; a sync rule checks all of them in one thread."""
    decisions = await _decide_each(rule, request, [(snapshot,) for snapshot in snapshots])
    return list(compress(snapshots, decisions))


async def _decide_each(rule: str, request: HttpRequest, cases: Sequence[tuple[Any, ...]]) -> list[bool]:
    return [_is_yes(rule, answer) for answer in await ask_each(rule, request, cases)]


async def ask_each(rule: str, request: HttpRequest, cases: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return what a method of the policy answers to each of some arguments; a sync one is called in a thread."""
    method, refusals = _find_method(rule), _find_refusals(rule)

    def ask(case: tuple[Any, ...]) -> Any:
        try:
            return method(request, *case)
        except refusals:
            return False

    asked = map(ask, cases)
    # A decorator may hide that a method is async; then it is called in a thread, and awaited here all the same.
    in_loop = iscoroutinefunction(method) or needs_only_user(rule)
    answers = asked if in_loop else await sync_to_async(lambda: list(asked))()
    return [await _wait_for(answer, refusals) if isawaitable(answer) else answer for answer in answers]


async def _wait_for(answer: Awaitable[object], refusals: tuple[type[Exception], ...] = ()) -> object:
    try:
        return await answer
    except refusals:
        return False


def _find_refusals(rule: str) -> tuple[type[Exception], ...]:
    """Return what a rule raises to say no, as Django itself does; `identify` can only give a name."""
    return () if rule == "identify" else (PermissionDenied, Http404)


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


def find_permission(rule: str) -> str | None:
    """Return the permission by which staff pass a rule; None if another than the default rule decides."""
    return STAFF_PERMISSIONS.get(rule) if needs_only_user(rule) else None


def _find_method(rule: str) -> Callable[..., Any]:
    policy = import_string(get_settings().POLICY)()
    # A policy that is not derived from the default one may know its four rules alone.
    method: Callable[..., Any] = getattr(policy if rule != "identify" or hasattr(policy, rule) else Policy(), rule)
    return method


def identify_starter(request: HttpRequest) -> str | None:
    """Return the owner of what a caller starts: their key; for visitors who may start tasks, all who know the id."""
    return get_user_key(request) or (ANYONE if get_settings().ALLOW_ANONYMOUS_START else None)


def _is_open(snapshot: Snapshot) -> bool:
    """Return whether every caller that knows the id of a task may see it."""
    if snapshot.owner is not None:
        return snapshot.owner == ANYONE
    if get_settings().OWNERLESS == "id":
        return True
    if not _is_shown(snapshot.task):
        _warn_of_hidden(snapshot.task)
    return False


def note_shown(task: str) -> None:
    """Note that a page shows a task without owner: for as long as the page's token lives, nothing is said of it."""
    _shown[task] = monotonic()
    _shown.move_to_end(task)
    if len(_shown) > MAX_NAMES:
        _shown.popitem(last=False)


def _is_shown(task: str) -> bool:
    """Return whether this process has rendered a page with a task of this name, whose token has not expired."""
    return monotonic() - _shown.get(task, -math.inf) < get_settings().TOKEN_MAX_AGE


#: The most names of tasks of which it is kept that pages show them, or that it was said why they stay hidden.
MAX_NAMES = 1000

#: When a page was last rendered that shows a task without owner, by its name.
_shown: OrderedDict[str, float] = OrderedDict()


@lru_cache(MAX_NAMES)
def _warn_of_hidden(task: str) -> None:
    """Say once why tasks of this name stay hidden: what worked without an owner before would else seem to be lost."""
    logger.warning(
        "task %r has no owner, so only staff may see it, and readers of a page with {%% task_progress %%} until its "
        "token expires: pass one, such as start(…, owner=request.user), or set OWNERLESS to 'id'",
        task,
    )
