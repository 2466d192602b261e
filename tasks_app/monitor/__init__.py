"""The staff pages that show the recent tasks."""

from . import views

__all__ = [
    "views",
]
