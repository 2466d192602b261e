"""The URLs of the endpoints, wherever a site includes them."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

from django.http import HttpRequest
from django.urls import NoReverseMatch, ResolverMatch, URLResolver, get_resolver, get_urlconf, reverse

_APP = "tasks_app"


def make_url(name: str, task_id: str | None = None, *, request: HttpRequest | None = None) -> str:
    """Return the URL of an endpoint.

    If the site includes the endpoints more than once, it is the one in the namespace of the request, or the nearest.
    Parameters in the path under which they are included, such as a tenant, have the values that the request has.

    Args:
        name: the name of the URL, without a namespace.
        task_id: the id in its path, if it has one.

    Raises:
        NoReverseMatch: the site does not include the endpoints, or the request has no value for such a parameter.
    """
    match: ResolverMatch | None = getattr(request, "resolver_match", None)
    own = {} if task_id is None else {"task_id": task_id}
    place = _find_nearest(match)
    if match is None or match.app_names[-1:] != [_APP]:
        try:
            return reverse(f"{_APP}:{name}", kwargs=own, current_app=match.namespace if match else None)
        except NoReverseMatch:
            if place is None:
                raise
    assert place is not None
    return reverse(":".join((*place.namespaces, name)), kwargs=place.find_values(match) | own)


def find_base(request: HttpRequest | None = None) -> str:
    """Return the URL to which the paths of the endpoints are relative, in the namespace that `make_url` chooses.

    Raises:
        NoReverseMatch: the site does not include the endpoints.
    """
    return make_url("tasks-progress", request=request).removesuffix("task-progress")


def find_parameters() -> list[str]:
    """Return the names of the parameters in the path under which the site includes the endpoints."""
    place = _find_nearest(None)
    return [] if place is None else sorted(place.parameters)


def quote_id(task_id: str) -> str:
    """Return a task's id as a part of a path, quoted as `reverse` does."""
    return quote(task_id, safe="!$&'()*+,;=:@~")  # the characters of RFC 3986, 3.3, that need no quotes


class _Place(NamedTuple):
    """Where a site includes the endpoints.

    Attributes:
        namespaces: those around them and their own, the outermost first.
        parameters: the names of those in the path before them.
    """

    namespaces: tuple[str, ...] = ()
    parameters: frozenset[str] = frozenset()

    def enter(self, resolver: URLResolver) -> "_Place":
        """Return the place inside of an `include`."""
        namespaces = (*self.namespaces, resolver.namespace) if resolver.namespace else self.namespaces
        return _Place(namespaces, self.parameters.union(resolver.pattern.regex.groupindex))

    def find_values(self, match: ResolverMatch | None) -> dict[str, Any]:
        """Return the values of its parameters that a request has."""
        given = match.kwargs if match else {}
        return {name: given[name] for name in self.parameters if name in given}


def _find_nearest(match: ResolverMatch | None) -> _Place | None:
    """Return the place nearest to a request, also inside a namespace or a path that `reverse` does not search."""
    here = match.namespaces if match else []

    def rate(place: _Place) -> tuple[int, int]:
        return _count_common(place.namespaces, here), len(place.find_values(match)) - len(place.parameters)

    return max(_find_places(get_resolver(get_urlconf())), key=rate, default=None)


@lru_cache
def _find_places(resolver: URLResolver) -> tuple[_Place, ...]:
    """Return all places of our endpoints; a URLconf may have thousands of patterns, so this looks once."""
    return tuple(_walk(resolver, _Place()))


def _walk(resolver: URLResolver, outer: _Place) -> Iterator[_Place]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            place = outer.enter(pattern)
            if pattern.app_name == _APP:
                yield place
            else:
                yield from _walk(pattern, place)


def _count_common(path: tuple[str, ...], here: list[str]) -> int:
    same = [one == other for one, other in zip(path, here, strict=False)]
    return same.index(False) if False in same else len(same)
