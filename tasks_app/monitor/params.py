"""What the list of the monitor is asked for: which tasks, and which page of them."""

from django.http import HttpRequest

from ..exceptions import describe
from ..http import bad_request, parse_whole
from .summary import CONDITIONS, Selection

#: No list has so many pages; who asks for one beyond the end gets the last one.
MAX_PAGE = 999_999_999

MAX_SEARCH_LENGTH = 200


def parse_page(request: HttpRequest) -> int:
    """Return which page of a list is asked for."""
    return parse_whole(request, "page", 1, MAX_PAGE)


def parse_selection(request: HttpRequest) -> Selection:
    """Return which of the recent tasks the monitor shall show."""
    states, text = request.GET.getlist("state"), request.GET.get("q", "").strip()
    for state in states:
        if state not in CONDITIONS:
            raise bad_request(f"'state' is {describe(state)}; allowed: {', '.join(map(repr, CONDITIONS))}.")
    if len(text) > MAX_SEARCH_LENGTH:
        raise bad_request(f"'q' is {describe(text)}; it may have at most {MAX_SEARCH_LENGTH!r} characters.")
    return Selection(conditions=frozenset(states), task=request.GET.get("task", ""), text=text)
