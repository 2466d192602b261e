"""The backend of user accounts, which works before the first migration."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db import OperationalError


class AccountBackend(ModelBackend):
    """A backend of Django's users that finds none before the first migration, whatever session a browser has."""

    def get_user(self, user_id: Any) -> User | None:
        with _none_without_table():
            return super().get_user(user_id)
        return None

    async def aget_user(self, user_id: Any) -> User | None:
        with _none_without_table():
            return await super().aget_user(user_id)
        return None


@contextmanager
def _none_without_table() -> Iterator[None]:
    """Suppress the error of a missing table, after which the caller returns None."""
    try:
        yield
    except OperationalError as error:
        if "no such table" not in str(error):
            raise
