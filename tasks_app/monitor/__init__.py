"""The staff pages that show the recent tasks."""

from . import views
from .ordering import COLUMNS
from .params import MAX_PAGE, MAX_SEARCH_LENGTH
from .recent_tasks import get_recent_reader
from .summary import CONDITIONS

__all__ = ["COLUMNS", "CONDITIONS", "MAX_PAGE", "MAX_SEARCH_LENGTH", "get_recent_reader", "views"]
