"""The settings of `tenants_site`."""

from tests.support.settings import *  # noqa: F403
from tests.support.settings import MIDDLEWARE as COMMON
from tests.support.settings import TASKS_APP

ROOT_URLCONF = "tests.support.tenants_site"
MIDDLEWARE = ["tests.support.tenants_site.TenantMiddleware", *COMMON]
TASKS_APP = {**TASKS_APP, "POLICY": "tests.support.tenants_site.TenantPolicy", "MAX_STREAMS_PER_CLIENT": None}
