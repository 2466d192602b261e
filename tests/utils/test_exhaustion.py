"""What says that a process has used up what it may, and how often that is logged."""

import errno
import threading

import pytest

from tasks_app.utils.exhaustion import ExhaustionLog, is_exhaustion


def find_error_of_a_refused_thread() -> BaseException:
    """Return what CPython itself raises where the system refuses a thread."""
    before = threading.stack_size(1 << 46)  # no machine has that much
    try:
        with pytest.raises(RuntimeError) as caught:
            threading.Thread(target=print).start()
    finally:
        threading.stack_size(before)
    return caught.value


def test_thread_that_the_system_refuses_is_exhaustion():
    assert is_exhaustion(find_error_of_a_refused_thread())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OSError(errno.EMFILE, "Too many open files"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ECONNREFUSED, "Connection refused"), False),
        (RuntimeError("this event loop is closed"), False),
        (ValueError("can't start new thread"), False),
    ],
)
def test_exhaustion_is_told_from_other_errors(error, expected):
    assert is_exhaustion(error) is expected


def test_exhaustion_is_logged_once_a_minute(caplog):
    times = iter((1000.0, 1001.0, 1060.0, 1061.0))
    log = ExhaustionLog(lambda: next(times))
    for _ in range(4):
        log.note(MemoryError("no"), "requests are refused")
    said = "this process has no memory, threads or open files to spare (MemoryError: no); requests are refused"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("ERROR", said)] * 2
