"""Generated requests, right and wrong ones, against a real server: each answer is one that is described."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.openapi.description import DOCUMENT
from tests.support import wire
from tests.support.monitor_site import make_url, run_monitor_site
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire_site import Site

pytestmark = pytest.mark.slow

OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with run_monitor_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def ended(site: Site) -> str:
    """The id of a task that has ended, so that its stream ends."""
    task_id = wire.start_task(site.port, "add", a=1)
    wait_until(lambda: site.get_snapshot(task_id)["state"] == "succeeded", "the task has ended")
    return task_id


@pytest.fixture(scope="module")
def cookies(site: Site) -> Mapping[str, str]:
    """The session of somebody who may see all."""
    return requests.get(make_url(site, "/log-in/ana"), timeout=DEADLINE).cookies.get_dict()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_each_request_gets_an_answer_that_is_described(
    path: str, method: str, site: Site, ended: str, cookies: Mapping[str, str]
):
    schema = schemathesis.openapi.from_url(make_url(site, "/tasks/openapi.json"))

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=schema[path][method].as_strategy(), is_known=st.booleans(), is_staff=st.booleans())
    def send(case: Any, is_known: bool, is_staff: bool) -> None:
        if is_known and "task_id" in (case.path_parameters or {}):
            case.path_parameters["task_id"] = ended
        options = {"timeout": DEADLINE, "allow_redirects": False, "cookies": dict(cookies) if is_staff else {}}
        # That values are of the right type does not mean that there is such a task.
        case.call_and_validate(excluded_checks=[positive_data_acceptance], **options)

    send()
