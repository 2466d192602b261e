"""Imports on the demo site, through a real Daphne and its database."""

import csv
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.site.test_site import (
    PRODUCTION,
    SETTINGS,
    Site,
    cancel,
    follow,
    get_task,
    manage,
    run_site,
    start_simulation,
    wait_for_state,
)
from tests.support.readme import find_block
from tests.support.servers import ROOT
from tests.support.shell import run_block
from tests.support.waiting import DEADLINE, wait_until

ROWS = 100_000
MAX_BYTES = 10_000_000
WORKERS = 64  # of the demo's TASKS

HEADER = b"name,email,amount,joined\n"
LINE = b"Ada,ada@example.com,1,2024-01-01\n"
LONG = HEADER + LINE * ROWS


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    with run_site(tmp_path_factory.mktemp("site"), DJANGO_IMPORT_MAX_BYTES=str(MAX_BYTES)) as running:
        yield running


@pytest.fixture(scope="module")
def production(tmp_path_factory) -> Iterator[Site]:
    with run_site(tmp_path_factory.mktemp("production"), is_migrated=False, **PRODUCTION) as running:
        yield running


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> tuple[bytes, int]:
    """A large file, and how many of its rows its maker says are bad."""
    path = tmp_path_factory.mktemp("sample") / "sample.csv"
    printed = manage("make_sample_csv", str(path), "--rows", str(ROWS), "--seed", "5", env={})
    match = re.fullmatch(rf"Wrote {ROWS} rows, (\d+) of them bad, to {re.escape(str(path))}\n", printed)
    assert match, printed
    return path.read_bytes(), int(match[1])


def test_command_of_the_document_makes_a_file(tmp_path: Path):
    command = find_block("sh", "make_sample_csv", document="docs/reference/demo.md")
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    run_block(command, tmp_path, env=SETTINGS)
    with (tmp_path / "sample.csv").open(newline="") as file:
        assert sum(1 for _ in csv.reader(file)) == ROWS + 1


@pytest.fixture(autouse=True)
def _empty_table(request) -> None:
    """Each test begins without customers."""
    if "site" in request.fixturenames:
        with closing(sqlite3.connect(request.getfixturevalue("site").database, timeout=DEADLINE)) as connection:
            connection.execute("DELETE FROM progress_site_customer")
            connection.commit()


def send(site: Site, content: bytes, *, accept: str = "application/json", name: str = "c.csv", **options: Any):
    """Upload a file, as a form does."""
    return requests.post(
        f"{site.url}/import-csv",
        files={"file": (name, content)},
        headers={"Accept": accept, **options.pop("headers", {})},
        allow_redirects=False,
        timeout=DEADLINE,
        **options,
    )


def start_import(site: Site, content: bytes, **options: Any) -> dict[str, Any]:
    response = send(site, content, **options)
    assert response.status_code == 202, response.text
    return response.json()


def count_customers(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT count(*) FROM progress_site_customer").fetchone()[0]


def list_uploads(site: Site) -> list[str]:
    return sorted(path.name for path in site.uploads.iterdir()) if site.uploads.exists() else []


def wait_until_uploads_are_gone(site: Site) -> None:
    wait_until(lambda: not list_uploads(site), "the uploaded file is deleted")


def wait_until_importing(site: Site, task_id: str) -> None:
    wait_until(lambda: get_task(site, task_id)["current"], "rows were loaded")


def read_log(site: Site, answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the level and text of each line that an import logs."""
    with requests.get(f"{site.url}{answer['progress_url']}?logs=1", stream=True, timeout=DEADLINE) as stream:
        events = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith(b"data: ")]
    return [(line["level"], line["text"]) for event in events for line in event.get("lines", [])]


def test_log_says_what_is_wrong_with_each_bad_row(site):
    answer = start_import(site, HEADER + LINE + b"Ada,ada,1,2024-01-01\n" + LINE + b",ada@example.com,1,2024-01-01\n")
    assert read_log(site, answer) == [
        ("warning", "Line 3: email 'ada' is not an address"),
        ("warning", "Line 5: name is missing"),
    ]


def test_log_names_the_columns_that_are_not_imported(site):
    answer = start_import(site, b"Phone,=1+1,Name,Email,Amount,Joined,\n1,2,Ada,ada@example.com,1,2024-01-01,\n")
    note = "Columns that are not imported: 'Phone', '=1+1'."
    assert read_log(site, answer) == [("info", note)]
    assert follow(site.url + answer["progress_url"])[-1]["result"]["notes"] == [note]


def test_import_is_called_after_its_file(site):
    answer = start_import(site, HEADER + LINE, name="orders 2026.csv")
    assert get_task(site, answer["task_id"])["label"] == "Import orders 2026.csv"
    follow(site.url + answer["progress_url"])


@pytest.mark.slow
def test_large_import_moves_with_rate_and_eta_and_counts_exactly(site, sample):
    content, bad = sample
    snapshots = follow(site.url + start_import(site, content)["progress_url"])
    end = snapshots[-1]
    assert end["state"] == "succeeded"
    assert (end["result"]["imported"], end["result"]["skipped"]) == (ROWS - bad, bad)
    assert count_customers(site.database) == ROWS - bad
    assert end["status"] == f"Imported {ROWS - bad:,} rows, skipped {bad:,}"
    moving = [item for item in snapshots if item["total"] == ROWS and item["unit"] == "rows"]
    assert len({item["progress"] for item in moving}) >= 10
    assert [item for item in moving if (item["rate"] or 0) > 0 and (item["eta"] or 0) > 0]
    wait_until_uploads_are_gone(site)


#: Imports rows outside of any task, and prints the queries that are still held then.
IMPORT = """
from io import StringIO
from django.db import connection
from progress_site.imports import import_customers
rows = "Ada,ada@example.com,1,2024-01-01\\n" * 5000
print(import_customers(StringIO("name,email,amount,joined\\n" + rows))["imported"], len(connection.queries))
"""


def test_queries_of_an_import_are_not_kept_while_debugging(site):
    """So that no more than a batch of rows is held."""
    printed = manage("shell", "-v0", "-c", IMPORT, env={"DJANGO_DATABASE": str(site.database)})
    imported, queries = map(int, printed.split())
    assert (imported, queries <= 1) == (5000, True), printed


def test_bad_rows_are_told_with_line_and_reason(site):
    content = HEADER + LINE + b"Bob,bad,1,2024-01-01\n" + b'Two,x@example.com,?,"2024-\n01-01"\n' + LINE
    end = follow(site.url + start_import(site, content)["progress_url"])[-1]
    assert end["result"] == {
        "imported": 2,
        "skipped": 2,
        "errors": [
            {"line": 3, "reason": "email 'bad' is not an address"},
            {"line": 4, "reason": "amount '?' is not a number with up to 10 digits and 2 decimals"},
        ],
        "kept": 2,
        "notes": [],
    }


def test_more_than_thousand_long_reasons_are_cut_and_the_counts_are_not(site):
    row = f"Ada,{'😀' * 200},1,2024-01-01\n".encode()
    end = follow(site.url + start_import(site, HEADER + LINE + row * 2500)["progress_url"])[-1]
    assert (end["result"]["imported"], end["result"]["skipped"], len(end["result"]["errors"])) == (1, 2500, 1000)


def test_stored_values_are_those_of_the_file(site):
    content = "\ufeffJoined,NAME,email ,Amount,x\r\n2024-02-29,Zoë,zoe@example.com,-1234.50,y\r\n".encode()
    follow(site.url + start_import(site, content)["progress_url"])
    with closing(sqlite3.connect(site.database)) as connection:
        rows = connection.execute("SELECT name, email, amount, joined FROM progress_site_customer").fetchall()
    assert rows == [("Zoë", "zoe@example.com", -1234.5, "2024-02-29")]


def test_cancelled_import_leaves_no_row_and_others_can_read_meanwhile(site):
    task_id = start_import(site, LONG)["task_id"]
    wait_until_importing(site, task_id)
    assert count_customers(site.database) == 0
    cancel(site, task_id)
    wait_for_state(site, task_id, "cancelled")
    assert count_customers(site.database) == 0
    wait_until_uploads_are_gone(site)


def test_second_import_waits_for_the_first_and_can_be_cancelled(site):
    first = start_import(site, LONG)["task_id"]
    wait_until_importing(site, first)
    second = start_import(site, HEADER + LINE)["task_id"]
    waiting = "Waiting for another import to end"
    wait_until(lambda: get_task(site, second)["status"] == waiting, "the second waits")
    cancel(site, second)
    wait_for_state(site, second, "cancelled")
    assert get_task(site, first)["state"] == "running"
    cancel(site, first)
    wait_for_state(site, first, "cancelled")


@pytest.mark.slow
def test_file_of_an_import_cancelled_before_it_began_is_deleted(site):
    busy = [start_simulation(site, duration=3600)["task_id"] for _ in range(WORKERS)]
    try:
        task_id = start_import(site, HEADER + LINE)["task_id"]
        assert get_task(site, task_id)["state"] == "queued"
        assert len(list_uploads(site)) == 1
        cancel(site, task_id)
        wait_until_uploads_are_gone(site)
    finally:
        for task_id in busy:
            cancel(site, task_id)


def test_stored_file_has_a_random_name(site):
    task_id = start_import(site, LONG, name="../../evil.csv")["task_id"]
    names = list_uploads(site)
    cancel(site, task_id)
    assert len(names) == 1
    assert re.fullmatch(r"[0-9a-f]{32}\.csv", names[0])
    wait_for_state(site, task_id, "cancelled")


def test_file_left_by_a_process_that_died_is_deleted_after_a_day(site):
    site.uploads.mkdir(parents=True, exist_ok=True)
    for age, name in [(25, "old.csv"), (23, "young.csv")]:
        (site.uploads / name).touch()
        modified = time.time() - age * 3600
        os.utime(site.uploads / name, (modified, modified))
    follow(site.url + start_import(site, HEADER + LINE)["progress_url"])
    wait_until(lambda: list_uploads(site) == ["young.csv"], "the old file is deleted")
    (site.uploads / "young.csv").unlink()


REFUSED = {
    "empty": (b"", 400, "The file is empty."),
    "latin-1": ("näme,email,amount,joined\n".encode("latin-1") + LINE, 400, "Line 1 is not UTF-8."),
    "latin-1 further down": (HEADER + LINE * 5000 + b"\xff\n", 400, "Line 5,002 is not UTF-8."),
    "image": (b"\x89PNG\r\n\x1a\n\0\0", 400, "The file is a PNG image, not CSV."),
    "binary": (b"\0\1\2\3", 400, "Line 1 has a NUL character"),
    "prose": (b"Dear Sir or Madam\n", 400, "Missing: name, email, amount, joined."),
    "column missing": (b"name;email;joined\n" + LINE, 400, "Missing: amount."),
    "too large": (HEADER + LINE * (MAX_BYTES // len(LINE)), 413, "The file is too large; at most 9.5 MB are allowed."),
    "far too large": (b"x" * (MAX_BYTES + 1_000_000), 413, "The file is too large; at most 9.5 MB are allowed."),
}


@pytest.mark.parametrize(("content", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_file_is_refused_at_once_and_not_kept(site, content, status, message):
    response = send(site, content)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert message in response.json()["detail"]
    assert list_uploads(site) == []


def test_refusal_is_on_the_page_of_a_browser(site):
    response = send(site, b"<b>name</b>\n", accept="text/html")
    assert response.status_code == 400
    assert "It has: &#x27;&lt;b&gt;name&lt;/b&gt;&#x27;." in response.text


def test_form_without_file_is_refused(site):
    response = requests.post(f"{site.url}/import-csv", headers={"Accept": "application/json"}, timeout=DEADLINE)
    assert (response.status_code, response.json()["detail"][:18]) == (400, "Choose a CSV file ")


def test_upload_by_another_method_is_refused(site):
    response = requests.get(f"{site.url}/import-csv", timeout=DEADLINE)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


LATE = {
    "header alone": (HEADER, "The file has a header, but no rows below it."),
    "quote never ends": (
        HEADER + LINE * 5000 + b'"\n' + LINE,
        "A quotation mark opens in line 5,002 and is not closed.",
    ),
    "NUL": (HEADER + LINE * 5000 + b"\0", "Line 5,002 has a NUL character, so the file is not text."),
    "no row is valid": (HEADER + b",,1,\n" * 2, "No row is valid. Line 2: name is missing."),
}


@pytest.mark.parametrize(("content", "reason"), LATE.values(), ids=LATE)
def test_file_wrong_further_down_fails_and_leaves_no_row(site, content, reason):
    end = follow(site.url + start_import(site, content)["progress_url"])[-1]
    assert (end["state"], end["status"]) == ("failed", f"Nothing was imported. {reason}")
    assert count_customers(site.database) == 0
    wait_until_uploads_are_gone(site)


def test_error_says_that_nothing_was_imported_while_debugging(site):
    end = follow(site.url + start_import(site, HEADER)["progress_url"])[-1]
    assert end["error"] == {"type": "ImportFailed", "message": end["status"]}


def test_reason_of_a_failure_reaches_viewers_in_production(production):
    end = follow(production.url + start_import(production, HEADER)["progress_url"])[-1]
    assert end["status"] == "Nothing was imported. The file has a header, but no rows below it."
    assert end["error"] == {"type": "Exception", "message": "The task failed."}


def test_failure_of_a_file_without_a_valid_row_keeps_the_reasons(site):
    end = follow(site.url + start_import(site, HEADER + LINE.replace(b"@", b"") * 1200)["progress_url"])[-1]
    assert (end["state"], end["progress"]) == ("failed", 99)
    assert (end["meta"]["imported"], end["meta"]["skipped"], len(end["meta"]["errors"])) == (0, 1200, 1000)


@pytest.mark.slow
def test_file_that_is_gone_before_its_import_begins_is_named(site):
    busy = [start_simulation(site, duration=3600)["task_id"] for _ in range(WORKERS)]
    try:
        answer = start_import(site, HEADER + LINE)
        (site.uploads / list_uploads(site)[0]).unlink()
    finally:
        for task_id in busy:
            cancel(site, task_id)
    end = follow(site.url + answer["progress_url"])[-1]
    assert (end["state"], end["status"]) == ("failed", "Nothing was imported. The uploaded file is gone.")


WESTERN = HEADER + "Zoë,zoe@example.com,1,2024-01-01\n".encode("cp1252")


def test_windows_1252_is_read_where_it_was_chosen(site):
    answer = start_import(site, WESTERN, data={"encoding": "windows-1252"})
    wait_for_state(site, answer["task_id"], "succeeded")
    with closing(sqlite3.connect(site.database)) as connection:
        assert connection.execute("SELECT name FROM progress_site_customer").fetchall() == [("Zoë",)]


def test_encoding_that_can_not_be_chosen_is_refused(site):
    response = send(site, WESTERN, data={"encoding": "latin-1"})
    assert (response.status_code, response.json()["detail"]) == (400, "encoding is 'latin-1'; allowed: windows-1252.")


def test_import_before_any_migration_says_what_to_run(production):
    end = follow(production.url + start_import(production, HEADER + LINE)["progress_url"])[-1]
    assert end["state"] == "failed"
    assert end["status"] == "Nothing was imported. The database failed; has 'manage.py migrate' been run?"


def test_browser_without_javascript_is_sent_to_the_page_of_its_task(site):
    response = send(site, HEADER + LINE, accept="text/html")
    assert response.status_code == 303
    task_id = re.fullmatch(r"/\?task=(\w+)", response.headers["Location"])[1]
    wait_for_state(site, task_id, "succeeded")


def test_answer_tells_where_to_follow_the_import(site):
    answer = start_import(site, HEADER + LINE)
    task_id = answer["task_id"]
    assert answer.pop("token")
    assert answer == {
        "task_id": task_id,
        "task": "progress_site.tasks.import_csv",
        "state": "queued",
        "progress_url": f"/task-progress/{task_id}",
        "status_url": f"/tasks/{task_id}",
        "cancel_url": f"/tasks/{task_id}/cancel",
    }
    wait_for_state(site, task_id, "succeeded")


def test_browser_with_cookies_needs_the_csrf_token(site):
    response = send(site, HEADER + LINE, cookies={"csrftoken": "a" * 32})
    assert response.status_code == 403


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}], ids=str)
def test_page_of_another_site_imports_nothing(site, headers):
    assert send(site, HEADER + LINE, headers=headers).status_code == 403


def test_browser_with_cookies_and_csrf_token_may_import(site):
    token = {"X-CSRFToken": "a" * 32}
    answer = start_import(site, HEADER + LINE, cookies={"csrftoken": "a" * 32}, headers=token)
    wait_for_state(site, answer["task_id"], "succeeded")
