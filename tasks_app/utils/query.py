"""The parameters of a query, read without a request."""

from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from django.conf import settings
from django.utils.datastructures import MultiValueDict

#: The type of a query; `request.GET` is one.
Query: TypeAlias = "MultiValueDict[str, str]"


def parse_query(text: bytes) -> Query:
    """Return the parameters that Django's `QueryDict` finds, at a third of its cost.

    Raises:
        ValueError: there are too many, or they are not UTF-8; Django says so, or guesses.
    """
    fields: dict[str, list[str]] = {}
    limit = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    for name, value in parse_qsl(text.decode(), keep_blank_values=True, max_num_fields=limit):
        fields.setdefault(name, []).append(value)
    return _Parameters(fields)


class _Parameters(MultiValueDict[str, str]):
    """Parameters of which most are missing: Django's own class raises two exceptions for each."""

    def get(self, key: str, default: Any = None) -> Any:
        if key not in self:
            return default
        return self[key]
