"""A sound deployment for the doctor; a test breaks it by the settings in DOCTOR, as JSON."""

import json
import os

from tests.support.settings import *  # noqa: F403
from tests.support.settings import TASKS_APP

ASGI_APPLICATION = "tests.support.doctor_site.application"
ROOT_URLCONF = "tests.support.doctor_site"
TASKS_APP = {**TASKS_APP, "ALLOW_ANONYMOUS_START": False, "MAX_STREAMS": 100}
globals().update(json.loads(os.environ.get("DOCTOR", "{}")))
