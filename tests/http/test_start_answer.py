"""The answer of `POST /start-task`, in a view of the site's own."""

import json
import re

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, RequestFactory
from django.urls import include, path

from tasks_app import start, start_response
from tests.support import jobs


def start_report(request: HttpRequest) -> HttpResponse:
    return start_response(request, start(jobs.add, 1, 2), task="report")


urlpatterns = [path("report", start_report), path("jobs/", include("tasks_app.urls"))]


async def test_view_of_the_site_answers_as_start_task_does(settings):
    settings.ROOT_URLCONF = __name__
    own = await AsyncClient().post("/report")
    theirs = await AsyncClient().post(
        "/jobs/start-task", {"task": "add", "kwargs": {"a": 1, "b": 2}}, "application/json"
    )
    answer, task_id = json.loads(own.content), json.loads(own.content)["task_id"]
    assert answer.keys() == json.loads(theirs.content).keys()
    assert (own.status_code, own["Location"]) == (202, f"/jobs/tasks/{task_id}")
    assert answer["progress_url"] == f"/jobs/task-progress/{task_id}"
    shown = await AsyncClient().get(answer["status_url"], headers={"Authorization": f"Bearer {answer['token']}"})
    assert shown.status_code == 200


@pytest.mark.parametrize("task_id", ["", "a/b", "..", "ä", None, 7])
def test_id_that_no_task_can_have_is_named(task_id):
    with pytest.raises(ValueError, match=re.escape(f"the id that start() returned, not {task_id!r}")):
        start_response(RequestFactory().post("/"), task_id, task="report")
