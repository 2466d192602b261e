"""The parameters of a query, as Django reads them."""

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.utils.query import parse_query


@given(st.text("ab=&;+%240fé", max_size=30))
def test_query_is_read_as_django_reads_it(text):
    ours, theirs = parse_query(text.encode()), QueryDict(text.encode())
    names = [*theirs, "x"]
    assert dict(ours.lists()) == dict(theirs.lists())
    assert [ours.get(name, "none") for name in names] == [theirs.get(name, "none") for name in names]


def test_query_with_too_many_parameters_is_refused(settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 2
    with pytest.raises(ValueError, match="fields"):
        parse_query(b"a=1&b=2&c=3")


def test_query_that_is_not_utf_8_is_refused():
    with pytest.raises(ValueError, match="utf-8"):
        parse_query(b"a=\xff")
