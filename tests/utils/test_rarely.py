"""What is said once a minute, however often it happens."""

from tasks_app.utils.rarely import Rarely


def test_each_kind_is_due_once_a_minute():
    now = [1000.0]
    rarely = Rarely(lambda: now[0])
    assert [rarely.is_due("a"), rarely.is_due("a"), rarely.is_due("b")] == [True, False, True]
    now[0] += 61
    assert [rarely.is_due("a"), rarely.is_due("a")] == [True, False]
