"""The HTTP endpoints, and the parsing and errors that they share."""

from . import health, views
from .csrf import needs_csrf
from .endpoint import (
    conditional_response,
    endpoint,
    exempt_from_transactions,
    is_endpoint,
    json_response,
    not_found,
    refusal,
)
from .links import find_base, find_parameters, make_url
from .params import DEFAULT_LIMIT, MAX_CHILDREN_SHOWN, MAX_KEY_LENGTH, MAX_LIMIT, parse_whole
from .problems import Problem, bad_request, store_access
from .start_answer import start_response
from .wanted_stream import WantedStream, parse_stream

__all__ = [
    "DEFAULT_LIMIT",
    "MAX_CHILDREN_SHOWN",
    "MAX_KEY_LENGTH",
    "MAX_LIMIT",
    "Problem",
    "WantedStream",
    "bad_request",
    "conditional_response",
    "endpoint",
    "exempt_from_transactions",
    "find_base",
    "find_parameters",
    "health",
    "is_endpoint",
    "json_response",
    "make_url",
    "needs_csrf",
    "not_found",
    "parse_stream",
    "parse_whole",
    "refusal",
    "start_response",
    "store_access",
    "views",
]
