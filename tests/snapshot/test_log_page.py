"""The pages of lines as they are stored."""

import pytest

from tasks_app.snapshot.log_page import parse_page

GARBAGE = [
    "",
    "not JSON",
    "{}",
    "[]",
    "null",
    '{"offset":0}',
    '{"offset":null,"lines":[]}',
    '{"offset":0,"lines":[1]}',
    '{"offset":0,"lines":[{"t":"x","level":"x"}]}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", [*GARBAGE, 1, None, b"\xff"])
def test_garbage_is_no_page(text):
    with pytest.raises(ValueError, match="not a stored page of a log"):
        parse_page(text)
