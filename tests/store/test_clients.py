"""What is known of the tasks that a client has started, on each kind of cache."""

import pytest

from tasks_app.store.clients import find_client, keep_client

pytestmark = pytest.mark.usefixtures("store")


def test_what_is_kept_of_a_client_is_found():
    keep_client("address:192.0.2.1", '[["t1"],0]')
    assert find_client("address:192.0.2.1") == '[["t1"],0]'
    assert find_client("address:192.0.2.2") is None


def test_client_may_have_any_name():
    for name in ("x" * 5000, "with space\n", "\ud7ff", "lone \ud800"):
        keep_client(name, name[:3])
        assert find_client(name) == name[:3]
