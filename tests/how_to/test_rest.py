"""The view that the document on REST framework has people write, in a project of its own."""

import base64
import json
from collections.abc import Iterator

import pytest

from tests.support import wire
from tests.support.projects import ENV, make_shop, paste, run_here
from tests.support.readme import find_block
from tests.support.servers import Server, run_daphne

#: Makes the database, and users who log in by their names.
PREPARE = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
for name in ("ada", "bob"):
    User.objects.create_user(name, password=name)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    shop = make_shop(tmp_path_factory.mktemp("rest"))
    paste(shop, find_block("python", "rest_framework"))
    run_here(shop, "-c", PREPARE)
    with run_daphne("mysite.asgi:application", env=ENV, cwd=shop) as server:
        yield server


def start(site: Server, user: str | None = "ada", **body: int) -> wire.Response:
    """Ask the view to start an import, with a user's password, by which REST framework knows them."""
    password = base64.b64encode(f"{user}:{user}".encode()).decode()
    headers = [("Content-Type", "application/json"), *([("Authorization", f"Basic {password}")] if user else [])]
    return wire.send(site.port, "POST", "/api/imports", headers, json.dumps(body).encode())


def bear(answer: wire.Response) -> wire.Headers:
    return [("Authorization", f"Bearer {answer.json()['token']}")]


def run(site: Server) -> wire.Response:
    """Have a task started and follow it by the token of the answer, to its end; return the answer."""
    answer = start(site, upload_id=3)
    with wire.EventStream(site.port, f"/task-progress/{answer.json()['task_id']}", bear(answer)) as stream:
        last = stream.read_all()[-1].json()
    assert (answer.status, last["state"], last["result"]) == (202, "succeeded", {"imported": 3})
    return answer


def test_view_starts_a_task_that_its_client_follows_and_may_cancel_by_the_token(site: Server):
    answer = run(site)
    cancel = wire.send(site.port, "POST", f"/tasks/{answer.json()['task_id']}/cancel", bear(answer))
    assert cancel.status == 409  # it has ended; who may not cancel it is told otherwise


def test_task_is_for_its_caller_alone(site: Server):
    answer, other = start(site, upload_id=3), start(site, "bob", upload_id=3)
    assert wire.send(site.port, "GET", f"/tasks/{answer.json()['task_id']}", bear(other)).status == 404


def test_body_that_does_not_fit_is_refused_as_rest_framework_does(site: Server):
    answer = start(site, upload_id=0)
    assert (answer.status, list(answer.json())) == (400, ["upload_id"])


def test_visitor_starts_nothing(site: Server):
    assert start(site, None, upload_id=3).status == 403
