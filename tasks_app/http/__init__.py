"""The HTTP endpoints, and the parsing and errors that they share."""

from . import views
from .endpoint import endpoint, exempt_from_transactions, json_response, not_found, refusal
from .links import make_url
from .params import parse_whole
from .problems import Problem, bad_request, store_access
from .start_answer import start_response

__all__ = [
    "Problem",
    "bad_request",
    "endpoint",
    "exempt_from_transactions",
    "json_response",
    "make_url",
    "not_found",
    "parse_whole",
    "refusal",
    "start_response",
    "store_access",
    "views",
]
