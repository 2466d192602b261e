"""The query parameters of the monitor's list: which tasks, in which order, and which page of them."""

from django.http import HttpRequest

from ..exceptions import describe
from ..http import bad_request, parse_whole
from .ordering import COLUMNS, Order
from .summary import CONDITIONS, Selection

#: The highest page number allowed; one beyond the end of the list shows the last page.
MAX_PAGE = 999_999_999

MAX_SEARCH_LENGTH = 200


def parse_page(request: HttpRequest) -> int:
    """Return the number of the requested page, from 1.

    Raises:
        Problem: `page` is not a whole number from 1 to MAX_PAGE.
    """
    return parse_whole(request, "page", 1, MAX_PAGE)


def parse_order(request: HttpRequest) -> Order:
    """Return the order that is requested: `sort` is a column, with a "-" before it if the greatest comes first.

    Raises:
        Problem: `sort` is none of these.
    """
    text = request.GET.get("sort", "")
    column = text.removeprefix("-")
    if text and column not in COLUMNS:
        allowed = ", ".join(repr(prefix + name) for name in COLUMNS for prefix in ("", "-"))
        raise bad_request(f"'sort' is {describe(text)}; allowed: {allowed}.")
    return Order(column=column, is_descending=text.startswith("-"))


def parse_selection(request: HttpRequest) -> Selection:
    """Return the filter of the recent tasks that is requested.

    Raises:
        Problem: `state` is not one of CONDITIONS, or `q` is longer than MAX_SEARCH_LENGTH.
    """
    states, text = request.GET.getlist("state"), request.GET.get("q", "").strip()
    for state in states:
        if state not in CONDITIONS:
            raise bad_request(f"'state' is {describe(state)}; allowed: {', '.join(map(repr, CONDITIONS))}.")
    if len(text) > MAX_SEARCH_LENGTH:
        raise bad_request(f"'q' is {describe(text)}; it may have at most {MAX_SEARCH_LENGTH!r} characters.")
    return Selection(conditions=frozenset(states), task=request.GET.get("task", ""), text=text)
