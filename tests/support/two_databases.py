"""The test project, with a second database."""

from tests.support.settings import *  # noqa: F403
from tests.support.settings import DATABASES

DATABASES = {**DATABASES, "b": DATABASES["default"]}
