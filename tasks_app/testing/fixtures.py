"""The fixture of pytest: `pytest_plugins = ["tasks_app.testing.fixtures"]` in a conftest.py."""

from collections.abc import Iterator

import pytest

from .recorded import Recorded, record


@pytest.fixture
def recorded_progress() -> Iterator[Recorded]:
    """The reports by `progress` of the code that the test calls."""
    with record() as recorded:
        yield recorded
