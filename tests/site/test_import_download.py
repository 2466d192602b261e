"""The download of the rows that an import skipped: who may have it, and until when."""

import os
import time
from collections.abc import Iterator

import pytest
import requests

from tests.site.test_import_page import HEADER, LINE, start_import, wait_until_importing
from tests.site.test_site import (
    SECRET_KEY,
    SETTINGS,
    Site,
    cancel,
    follow,
    manage,
    run_site,
    start_simulation,
    wait_for_state,
)
from tests.support.waiting import DEADLINE

pytestmark = pytest.mark.slow

BAD = b"Bob,bad,-1,2024-01-01\n"

#: Makes users, and prints their sessions; the user "staff" is one of them.
LOGIN = """
from django.contrib.auth.models import User
from django.test import Client
for name in {names!r}:
    client, is_staff = Client(), name == "staff"
    client.force_login(User.objects.create_user(name, is_staff=is_staff, is_superuser=is_staff))
    print(client.cookies["sessionid"].value)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with run_site(tmp_path_factory.mktemp("site"), DJANGO_SECRET_KEY=SECRET_KEY) as running:
        yield running


def log_in(site: Site, *names: str) -> list[dict[str, dict[str, str]]]:
    """Make users, and return what requests need to come from each."""
    env = SETTINGS | {"DJANGO_DATABASE": str(site.database), "DJANGO_SECRET_KEY": SECRET_KEY}
    sessions = manage("shell", "-v0", "-c", LOGIN.format(names=names), env=env).split()
    token = "a" * 32
    cookies = [{"sessionid": session, "csrftoken": token} for session in sessions]
    return [{"cookies": item, "headers": {"X-CSRFToken": token}} for item in cookies]


def import_to_the_end(site: Site, content: bytes, state: str = "succeeded", **options: object) -> str:
    """Import a file, and return the id of the task."""
    task_id = start_import(site, content, **options)["task_id"]
    wait_for_state_as(site, task_id, state, **options)
    return task_id


def wait_for_state_as(site: Site, task_id: str, state: str, **options: object) -> None:
    url = f"{site.url}/task-progress/{task_id}"
    with requests.get(url, stream=True, timeout=DEADLINE, **options) as stream:
        assert f'"state":"{state}"' in list(stream.iter_lines(decode_unicode=True))[-2]


def download(site: Site, task_id: str, **options: object) -> requests.Response:
    return requests.get(f"{site.url}/import-csv/{task_id}/skipped", timeout=DEADLINE, **options)


def test_skipped_rows_are_downloaded_as_csv(site):
    response = download(site, import_to_the_end(site, HEADER + LINE + BAD))
    assert response.content.decode("utf-8-sig").splitlines() == [
        '"Line","Error","name","email","amount","joined"',
        '"3","email \'bad\' is not an address","Bob","bad","\'-1","2024-01-01"',
    ]
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="skipped-rows.csv"'
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_head_of_the_download_has_its_length(site):
    task_id = import_to_the_end(site, HEADER + LINE + BAD)
    head = requests.head(f"{site.url}/import-csv/{task_id}/skipped", timeout=DEADLINE)
    assert (head.status_code, int(head.headers["Content-Length"])) == (200, len(download(site, task_id).content))


def test_download_of_many_rows_is_whole(site):
    rows = 20_000
    response = download(site, import_to_the_end(site, HEADER + LINE + BAD * rows))
    assert response.content.count(b"\r\n") == 1 + rows
    assert int(response.headers["Content-Length"]) == len(response.content)


def test_skipped_rows_of_a_sample_are_downloaded(site):
    body = {"task": "import_sample", "kwargs": {"rows": 1000}}
    answer = requests.post(f"{site.url}/start-task", json=body, timeout=DEADLINE).json()
    end = follow(site.url + answer["progress_url"])[-1]
    assert download(site, answer["task_id"]).content.count(b"\r\n") == 1 + end["result"]["skipped"] > 1


def test_skipped_rows_of_an_import_that_failed_for_them_are_downloaded(site):
    response = download(site, import_to_the_end(site, HEADER + BAD * 3, "failed"))
    assert response.content.count(b"\r\n") == 1 + 3


def test_owner_alone_may_download_beside_staff(site):
    owner, other, staff = log_in(site, "owner", "other", "staff")
    task_id = import_to_the_end(site, HEADER + LINE + BAD, **owner)
    answers = {
        name: download(site, task_id, **options).status_code
        for name, options in {"owner": owner, "staff": staff, "other": other, "nobody": {}}.items()
    }
    assert answers == {"owner": 200, "staff": 200, "other": 404, "nobody": 404}


def test_token_that_shows_the_import_does_not_open_the_download(site):
    (owner,) = log_in(site, "giver")
    answer = start_import(site, HEADER + LINE + BAD, **owner)
    wait_for_state_as(site, answer["task_id"], "succeeded", **owner)
    token = {"params": {"token": answer["token"]}}
    assert requests.get(site.url + answer["status_url"], timeout=DEADLINE, **token).status_code == 200
    assert download(site, answer["task_id"], **token).status_code == 404


@pytest.mark.parametrize("task_id", ["x" * 32, "..%2fuploads%2fa", "a.csv"])
def test_unknown_import_has_no_download(site, task_id):
    assert download(site, task_id).status_code == 404


def test_import_that_skipped_nothing_has_no_download(site):
    assert download(site, import_to_the_end(site, HEADER + LINE)).status_code == 404


def test_task_that_is_no_import_has_no_download(site):
    task_id = start_simulation(site, duration=0)["task_id"]
    wait_for_state(site, task_id, "succeeded")
    assert download(site, task_id).status_code == 404


def test_cancelled_import_has_no_download(site):
    task_id = start_import(site, HEADER + BAD + LINE * 100_000)["task_id"]
    wait_until_importing(site, task_id)
    cancel(site, task_id)
    wait_for_state(site, task_id, "cancelled")
    assert download(site, task_id).status_code == 404


def test_download_is_deleted_when_nothing_else_is_known_of_its_import(site):
    folder = site.uploads.parent / "skipped"
    import_to_the_end(site, HEADER + LINE + BAD)
    (folder / "old.csv").touch()
    os.utime(folder / "old.csv", (time.time() - 3700,) * 2)
    assert download(site, "old").status_code == 404
    assert not (folder / "old.csv").exists()


def test_download_takes_no_other_method(site):
    response = requests.post(f"{site.url}/import-csv/a/skipped", timeout=DEADLINE)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
