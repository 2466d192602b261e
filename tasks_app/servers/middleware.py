"""Django's middleware, called in batches, with fewer changes of thread."""

from collections.abc import Callable, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.exception import convert_exception_to_response, response_for_exception
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

#: Returns the response to a request, or anything if the middleware is wrong.
Handler = Callable[[HttpRequest], Any]


def batch_middleware(application: object) -> None:
    """Make the Django handlers in an ASGI application call middleware in batches.

    Django changes to the request's thread and back for each `process_request` and each `process_response` of each
    middleware, which is most of the cost of a small request. Here, neighbours in MIDDLEWARE share two changes, one for
    the request and one for the response. The order, the thread and the effect on the request stay the same. Middleware
    with a `__call__` other than that of Django's `MiddlewareMixin` is called as before.

    Args:
        application: a Django handler, or an application that contains some; they are changed in place.
    """
    for handler in find_handlers(application):
        handler._middleware_chain = _batch(handler._middleware_chain)


def find_handlers(application: object) -> Iterator[Any]:
    """Yield the Django handlers in an ASGI application, or the application if it is one."""
    if _get(application, "_middleware_chain") is not None:
        yield application
    for inner in _find_inner(application):
        yield from find_handlers(inner)


class _Batch:
    """Middleware that shares its changes of thread.

    Args:
        run: the middleware, from the outermost to the innermost.
    """

    def __init__(self, run: list[Any]) -> None:
        self._run = run
        self._enter = sync_to_async(self._process_request)
        self._leave = sync_to_async(self._process_response)

    async def handle(self, request: HttpRequest) -> Any:
        """Return the response to a request, as the middleware would return it without the batch."""
        entered, response = await self._enter(request)
        if response is None:
            response = await self._run[-1].get_response(request)
        return await self._leave(request, response, entered)

    def _process_request(self, request: HttpRequest) -> tuple[list[Any], Any]:
        """Return the middleware that must see the response, and the response if there is one already."""
        for number, middleware in enumerate(self._run):
            if hasattr(middleware, "process_request"):
                try:
                    response = middleware.process_request(request)
                except Exception as error:
                    return self._run[:number], response_for_exception(request, error)
                if response:
                    return self._run[: number + 1], response
        return self._run, None

    def _process_response(self, request: HttpRequest, response: Any, entered: list[Any]) -> Any:
        for middleware in reversed(entered):
            if hasattr(middleware, "process_response"):
                try:
                    response = middleware.process_response(request, response)
                except Exception as error:
                    response = response_for_exception(request, error)
        return response


def _batch(handler: Handler) -> Handler:
    """Return a batched handler for the same middleware; inner middleware is changed in place."""
    run = list(_find_run(handler))
    last = run[-1] if run else _unwrap(handler)
    if (inner := _get(last, "get_response")) is not None:
        vars(last)["get_response"] = _batch(inner)
    return convert_exception_to_response(_Batch(run).handle) if _count_changes(run) > 2 else handler


def _count_changes(run: list[Any]) -> int:
    """Return how often Django changes threads and back for this middleware; a batch does so twice."""
    return sum(hasattr(middleware, f"process_{what}") for middleware in run for what in ("request", "response"))


def _find_run(handler: Handler) -> Iterator[Any]:
    while _is_plain(middleware := _unwrap(handler)):
        yield middleware
        handler = middleware.get_response


def _is_plain(middleware: object) -> bool:
    kind = type(middleware)
    return (
        issubclass(kind, MiddlewareMixin)
        and kind.__call__ is MiddlewareMixin.__call__
        and kind.__acall__ is MiddlewareMixin.__acall__
    )


def _unwrap(handler: Handler) -> Any:
    """Return the middleware that Django has wrapped for its chain, or None if the wrapper is not Django's."""
    if getattr(handler, "__code__", None) is _WRAPPED_BY_DJANGO:
        return handler.__wrapped__  # type: ignore[attr-defined]
    return None


def _find_inner(application: object) -> Iterator[object]:
    """Yield the HTTP applications in an application of Django or Channels, or one with the same attributes."""
    mapping = _get(application, "application_mapping") or {}
    names = ("application", "inner", "app")
    found = [mapping.get("http"), *(_get(application, name) for name in names)]
    yield from (inner for inner in found if inner is not None)


def _get(item: object, name: str) -> Any:
    """Return an attribute that was set on an object itself, or None; properties are not called."""
    return getattr(item, "__dict__", {}).get(name)


_WRAPPED_BY_DJANGO = convert_exception_to_response(_Batch([]).handle).__code__
