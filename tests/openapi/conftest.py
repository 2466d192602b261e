"""What the tests of the description share."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _templates(settings: Any) -> None:
    """The monitor has pages."""
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
