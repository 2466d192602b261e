"""Who is logged in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db import OperationalError


class AccountBackend(ModelBackend):
    """Django's own users; before the first migration there are none, even if a browser still has a session."""

    def get_user(self, user_id: Any) -> User | None:
        with _nobody_without_table():
            return super().get_user(user_id)
        return None

    async def aget_user(self, user_id: Any) -> User | None:
        with _nobody_without_table():
            return await super().aget_user(user_id)
        return None


@contextmanager
def _nobody_without_table() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if "no such table" not in str(error):
            raise
