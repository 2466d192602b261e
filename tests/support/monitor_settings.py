"""The site whose staff watch the monitor: with the admin, whose login they use. A session needs no table."""

from tests.support.component_settings import *  # noqa: F403
from tests.support.component_settings import INSTALLED_APPS as BASE_APPS
from tests.support.component_settings import TASKS_APP as BASE_TASKS_APP
from tests.support.component_settings import TEMPLATES as BASE_TEMPLATES
from tests.support.settings import MIDDLEWARE as BASE_MIDDLEWARE

ROOT_URLCONF = "tests.support.monitor_urls"
INSTALLED_APPS = ["django.contrib.admin", "django.contrib.messages", *BASE_APPS]
MIDDLEWARE = [
    *BASE_MIDDLEWARE,
    "django.contrib.messages.middleware.MessageMiddleware",
    "tests.support.monitor_urls.StrictPolicy",
]
TEMPLATES = [
    {
        **BASE_TEMPLATES[0],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TASKS_APP = {
    **BASE_TASKS_APP,
    "STARTABLE": {
        **BASE_TASKS_APP["STARTABLE"],
        "family": "tests.support.monitor_jobs.family",
        "report": "tests.support.monitor_jobs.report",
    },
}
