"""The staff pages that show the recent tasks."""

from . import views
from .recent_tasks import get_recent_reader

__all__ = [
    "get_recent_reader",
    "views",
]
