"""The policy is asked again while streams are open: no right to see a task outlives its reason by much.

All streams of an event loop are looked at together, every RECHECK_ACCESS seconds: the user of each session is loaded
once, in one thread that ends with the round, and the policy is asked once about each task and caller.
"""

import asyncio
import logging
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextvars import Context
from weakref import WeakSet

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import InterfaceError, OperationalError, connections
from django.http import HttpRequest

from ..conf import get_settings
from ..permissions import needs_only_user
from ..snapshot import Snapshot
from ..streaming import Stream
from ..tokens import has_token
from ..users import FreshUser, load_fresh, name_caller
from ..utils.backoff import Failures
from ..utils.per_loop import PerLoop
from .access import can_view
from .problems import Problem

logger = logging.getLogger("tasks_app")

#: Streams that are looked at without a pause for the event loop.
BATCH = 200

#: What differs between the requests of one caller; by all else a policy may tell callers apart.
_VOLATILE = {"REMOTE_PORT", "HTTP_LAST_EVENT_ID"}

#: What is asked of the policy, and the same for all streams of one caller.
_Question = tuple[HttpRequest, Snapshot]


def recheck(stream: Stream, request: HttpRequest) -> None:
    """Ask the policy again, as long as a stream is open, about those of its tasks that no token of it shows."""
    stream.request = request
    if any(_find_allowed(stream, request)):
        get_rounds().add(stream)


def _find_allowed(stream: Stream, request: HttpRequest) -> Iterator[Snapshot]:
    """Yield the tasks that an open stream shows because the policy allowed it, and that have not ended."""
    for watch in stream.watches:
        if watch.view is not None and stream in watch.audience and not has_token(request, watch.task_id):
            yield watch.view.snapshot


class Rounds:
    """The streams of one event loop that the policy allowed, and the timer by which it is asked again."""

    def __init__(self) -> None:
        self._streams: WeakSet[Stream] = WeakSet()
        self._failures = Failures()
        #: Whether a round runs, or will.
        self.is_planned = False
        #: The round that runs; the event loop itself keeps no task alive.
        self.running: asyncio.Task[None] | None = None

    def add(self, stream: Stream) -> None:
        """Look at a stream from now on, as long as it exists."""
        self._streams.add(stream)
        if not self.is_planned:
            self._plan()

    async def look_at_all(self) -> None:
        """End the streams that the policy allows no more."""
        streams, current = list(self._streams), _Round()
        async with ThreadSensitiveContext():  # sync code in it runs in one thread, which ends with it
            while streams:
                await current.look_at([streams.pop() for _ in range(min(BATCH, len(streams)))])
                await asyncio.sleep(0)
            await current.close()
        if (error := current.failure) is None:
            self._failures.clear()
        elif self._failures.note():
            logger.error("who may see the tasks of open streams can't be asked; they go on", exc_info=error)

    def _plan(self) -> None:
        self.is_planned = True
        # A context of its own, so that it keeps nothing of the request that runs.
        asyncio.get_running_loop().call_later(get_settings().RECHECK_ACCESS, self._begin, context=Context())

    def _begin(self) -> None:
        self.running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self.look_at_all()
        except Exception:
            logger.exception("open streams could not be looked at; they go on until TOKEN_MAX_AGE")
        self.running, self.is_planned = None, False
        if self._streams:
            self._plan()


class _Round:
    """One look at all streams: what was loaded or decided in it is not asked again."""

    def __init__(self) -> None:
        #: Why some streams go on without a decision, for the log.
        self.failure: Exception | None = None
        self._has_thread = False
        self._users: dict[Hashable, FreshUser | Exception] = {}
        self._decisions: dict[Hashable, bool] = {}
        self._needs_only_user = needs_only_user("can_view")

    async def look_at(self, streams: Sequence[Stream]) -> None:
        """End those of the streams that show a task which the policy shows no more."""
        callers = {
            stream: (request, name_caller(request))
            for stream in streams
            if not stream.has_lapsed
            and isinstance(request := stream.request, HttpRequest)
            and any(_find_allowed(stream, request))
        }
        await self._load_users({name: request for request, name in callers.values()})
        asked = {stream: self._find_questions(stream, *caller) for stream, caller in callers.items()}
        await self._decide({name: question for questions in asked.values() for name, question in questions.items()})
        for stream, questions in asked.items():
            if not all(self._decisions[question] for question in questions):
                # Not in this context: a stream that sends gives back the thread of the request that it runs in.
                asyncio.get_running_loop().call_soon(stream.lapse, context=Context())

    async def close(self) -> None:
        """Close the database connections of the round."""
        if self._has_thread:
            await sync_to_async(connections.close_all)()

    async def _load_users(self, requests: Mapping[Hashable, HttpRequest]) -> None:
        if unknown := {name: request for name, request in requests.items() if name not in self._users}:
            self._has_thread = True
            self._users |= await sync_to_async(_load_each)(unknown)

    def _find_questions(self, stream: Stream, request: HttpRequest, name: Hashable) -> dict[Hashable, _Question]:
        """Return what to ask of a stream, by names that are the same for all who can't be told apart."""
        user = self._users[name]
        if isinstance(user, Exception):
            self.failure = user
            return {}
        user.enter(request)
        caller = name if self._needs_only_user else (name, _find_traits(request))
        return {
            (caller, _find_tokens(request) if snapshot.parent else (), snapshot.task_id): (request, snapshot)
            for snapshot in _find_allowed(stream, request)
        }

    async def _decide(self, questions: Mapping[Hashable, _Question]) -> None:
        for name, (request, snapshot) in questions.items():
            if name not in self._decisions:
                self._decisions[name] = await self._ask(request, snapshot)

    async def _ask(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        """Ask the policy; an error is a no, unless it could not ask the database or the cache."""
        try:
            return await can_view(request, snapshot)
        except (InterfaceError, OperationalError, Problem) as error:
            self.failure = error
            return True
        except Exception:
            logger.exception("POLICY %r: can_view failed; a stream ends", get_settings().POLICY)
            return False


def _find_tokens(request: HttpRequest) -> tuple[str, ...]:
    """Return the texts in a request that may be tokens: that of a parent shows its children."""
    return (request.META.get("HTTP_AUTHORIZATION", ""), *request.GET.getlist("token"))


def _find_traits(request: HttpRequest) -> frozenset[tuple[str, str]]:
    """Return the texts in a request by which a policy may tell its caller from others, besides user and session."""
    return frozenset(
        (name, value) for name, value in request.META.items() if isinstance(value, str) and name not in _VOLATILE
    )


def _load_each(requests: Mapping[Hashable, HttpRequest]) -> dict[Hashable, FreshUser | Exception]:
    return {name: _load(request) for name, request in requests.items()}


def _load(request: HttpRequest) -> FreshUser | Exception:
    try:
        return load_fresh(request)
    except Exception as error:  # raised by the database, or where sessions are stored
        return error


get_rounds = PerLoop(Rounds)
