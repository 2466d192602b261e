"""What tests of both sides of a log share: a job that logs numbers."""

from tasks_app.reporting.log import Journal
from tests.support.doubles import START

#: How many lines are kept, unless a test says otherwise.
LIMIT = 1000

#: More bytes than these tests log, unless they ask for fewer.
BYTES = 100_000_000


def log_numbers(journal: Journal, *numbers: int) -> None:
    """Log numbers, each in a line of its own."""
    for number in numbers:
        journal.append(str(number), "info", now=START)
