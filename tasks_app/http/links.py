"""The URLs of the endpoints, wherever a site includes them."""

from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote

from django.http import HttpRequest
from django.urls import NoReverseMatch, ResolverMatch, URLResolver, get_resolver, get_urlconf, reverse

_APP = "tasks_app"


def make_url(name: str, *args: str, request: HttpRequest | None = None) -> str:
    """Return the URL of an endpoint.

    If the site includes the endpoints more than once, it is the one in the namespace of the request, or the nearest.

    Args:
        name: the name of the URL, without a namespace.
        args: the values in its path.

    Raises:
        NoReverseMatch: the site does not include the endpoints.
    """
    match: ResolverMatch | None = getattr(request, "resolver_match", None)
    if match is not None and match.app_names[-1:] == [_APP]:
        return reverse(f"{match.namespace}:{name}", args=args)
    try:
        return reverse(f"{_APP}:{name}", args=args, current_app=match.namespace if match else None)
    except NoReverseMatch:
        if (namespace := _find_nested(match)) is None:
            raise
        return reverse(f"{namespace}:{name}", args=args)


def find_base(request: HttpRequest | None = None) -> str:
    """Return the URL to which the paths of the endpoints are relative, in the namespace that `make_url` chooses.

    Raises:
        NoReverseMatch: the site does not include the endpoints.
    """
    return make_url("tasks-progress", request=request).removesuffix("task-progress")


def quote_id(task_id: str) -> str:
    """Return a task's id as a part of a path, quoted as `reverse` does."""
    return quote(task_id, safe="!$&'()*+,;=:@~")  # the characters of RFC 3986, 3.3, that need no quotes


def _find_nested(match: ResolverMatch | None) -> str | None:
    """Return the namespace of endpoints that are included inside another one, which `reverse` does not search."""
    here = match.namespaces if match else []
    found = _find_namespaces(get_resolver(get_urlconf()))
    nearest = max(found, key=lambda path: _count_common(path, here), default=None)
    return ":".join(nearest) if nearest else None


@lru_cache
def _find_namespaces(resolver: URLResolver) -> tuple[tuple[str, ...], ...]:
    """Return the paths of all our endpoints; a URLconf may have thousands of patterns, so this looks once."""
    return tuple(_walk(resolver, ()))


def _walk(resolver: URLResolver, outer: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            path = (*outer, pattern.namespace) if pattern.namespace else outer
            if pattern.app_name == _APP:
                yield path
            else:
                yield from _walk(pattern, path)


def _count_common(path: tuple[str, ...], here: list[str]) -> int:
    same = [one == other for one, other in zip(path, here, strict=False)]
    return same.index(False) if False in same else len(same)
