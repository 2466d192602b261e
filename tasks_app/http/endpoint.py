"""The decorator of all endpoints, and the answers that several of them give."""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import wraps
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from weakref import WeakSet

from django.apps import apps
from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt

from ..exceptions import describe
from ..snapshot import Snapshot
from ..users import get_user_key, lacks_permission, load_user
from ..utils.clock import format_time
from ..utils.exhaustion import exhaustion_log
from ..utils.json import encode_json
from ..utils.turns import give_way
from .problems import Endpoint, Problem, Responder, answers_problems, respond_with_json


def endpoint(
    *methods: str, respond: Responder = respond_with_json, needs_user: bool = True
) -> Callable[[Endpoint], Callable[..., Any]]:
    """Make a view an endpoint.

    It answers other methods with 405, is exempt from CSRF checks, transactions and a login that a middleware demands,
    and has `request.user` loaded. Of the parameters in the path it is given its own: others, such as a tenant, stand
    in the path under which a site includes it.

    Args:
        methods: the HTTP methods that it answers.
        respond: makes a response of each problem that the view raises.
        needs_user: whether `request.user` is to be loaded, which may ask the database.
    """

    def decorate(view: Endpoint) -> Callable[..., Any]:
        own = list(inspect.signature(view).parameters)[1:]

        @wraps(view)
        async def checked(request: HttpRequest, *_: Any, **parameters: Any) -> HttpResponseBase:
            if hasattr(request, "scope"):  # under WSGI, a request has a loop of its own, and logs without a thread
                _have_log_thread()
            if request.method not in methods:
                allowed = ", ".join(methods)
                raise Problem(
                    HTTPStatus.METHOD_NOT_ALLOWED,
                    f"The method is {request.method!r}; allowed: {allowed}.",
                    Allow=allowed,
                )
            if needs_user:
                await load_user(request)
            return await view(request, **{name: parameters[name] for name in own if name in parameters})

        # Views check access by themselves, since a token needs no login, and call `check_csrf` where they need to,
        # since scripts without cookies have no token.
        made = _without_transactions(csrf_exempt(login_not_required(answers_problems(checked, respond))))
        made.is_tasks_app_endpoint = True  # type: ignore[attr-defined]  # decorators around it take it over
        return made

    return decorate


def is_endpoint(view: object) -> bool:
    """Return whether a view is an endpoint of this app."""
    return getattr(view, "is_tasks_app_endpoint", False)


def _have_log_thread() -> None:
    """Have a thread in which Django can log the refusals of this event loop; later the process may start none.

    Django logs each answer from 400 on in the loop's own executor. Where that fails, the answer becomes a 500.
    """
    loop = asyncio.get_running_loop()
    if loop in _loops:
        return
    try:
        loop.run_in_executor(None, int)
    except Exception as error:
        exhaustion_log.note(error, "refusals become 500, since Django can't log them")
    else:
        _loops.add(loop)


#: The event loops that have such a thread.
_loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def exempt_from_transactions() -> None:
    """Exempt the endpoints that were made before the settings were read; the app does so when it is ready."""
    while _waiting:
        _exempt(_waiting.pop())


#: Endpoints whose exemption waits for the settings.
_waiting: list[Endpoint] = []


def _without_transactions(view: Endpoint) -> Endpoint:
    """Exempt a view from ATOMIC_REQUESTS on every database; Django's decorator alone does so on `default`."""
    view = transaction.non_atomic_requests(view)  # now, since what wraps the view shares its exemptions from then on
    if apps.models_ready:
        _exempt(view)
    else:
        _waiting.append(view)
    return view


def _exempt(view: Endpoint) -> None:
    for alias in connections:
        transaction.non_atomic_requests(using=alias)(view)


def encode_list(snapshots: Iterable[Snapshot]) -> str:
    """Return a list of tasks as JSON, in a thread; each by itself, since others wait until the encoder is done."""
    return f'{{"tasks":[{",".join(encode_json(snapshot.to_wire()) for snapshot in give_way(snapshots))}]}}'


def encode_children(snapshots: Iterable[Snapshot], total: int) -> str:
    """Return a list of children as JSON, with how many there are."""
    return f'{{"children":[{",".join(encode_json(snapshot.to_wire()) for snapshot in snapshots)}],"total":{total}}}'


def json_response(data: Mapping[str, Any] | str, **options: Any) -> HttpResponse:
    """Return a response with the server's time, since the clock of a client may be wrong.

    No cache stores it, unless the options have headers that allow it.

    Args:
        data: a JSON object, or its text.
    """
    text = data if isinstance(data, str) else encode_json(data)
    response = HttpResponse(text, content_type="application/json", **options)
    response.headers.setdefault("Cache-Control", "no-store")
    response["Server-Time"] = f"{format_time(datetime.now(UTC))}"
    return response


def conditional_response(
    request: HttpRequest, data: Mapping[str, Any] | str, *, version: str | None = None
) -> HttpResponseBase:
    """Return a response with `data` as JSON for this caller alone, or 304 if the client has it.

    Args:
        data: a JSON object, or its text.
        version: names what `data` says, by default its bytes do.
    """
    response = json_response(data, headers={"Cache-Control": "private, no-cache"})
    response["ETag"] = etag = f'"{version or sha256(response.content).hexdigest()[:32]}"'
    answer = get_conditional_response(request, etag=etag, response=response) or response
    answer["Server-Time"] = response["Server-Time"]  # which a 304 leaves out
    return answer


def not_found(task_id: str) -> Problem:
    """Return the problem of a task that does not exist or that the caller may not see."""
    return Problem(HTTPStatus.NOT_FOUND, f"There is no task {describe(task_id)}, or you may not see it.")


def refusal(request: HttpRequest, detail: str, *, permission: str | None = None) -> Problem:
    """Return the problem of a caller whom a rule refuses: 401 if not logged in, else 403.

    Args:
        permission: what staff need; those who lack it are told so.
    """
    if get_user_key(request) is None:
        return Problem(HTTPStatus.UNAUTHORIZED, f"{detail} Log in first.", WWW_Authenticate="Session")
    if permission is not None and lacks_permission(request, permission):
        detail = f"{detail} Staff need the permission '{permission}'."
    return Problem(HTTPStatus.FORBIDDEN, detail)
