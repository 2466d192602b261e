"""The examples of the demo site: what they start, within which limits, and the code that they show."""

import ast
import re
import time
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import requests

from progress_site import settings
from progress_site.simulation import spread
from tests.site.test_site import Site, follow, run_site
from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE

#: What each example starts, with which arguments it is soon over, and how that ends.
RUNS = {
    "one": ("simulate", {"duration": 0.1}, "succeeded"),
    "five": ("simulate", {"duration": 0.1}, "succeeded"),
    "import": ("import_sample", {"rows": 300}, "succeeded"),
    "fail": ("train_model", {"duration": 0.1}, "failed"),
    "cancel": ("archive_photos", {"duration": 0.1}, "succeeded"),
    "indeterminate": ("scan_folders", {"duration": 0.1}, "succeeded"),
    "log": ("write_report", {"duration": 0.1}, "succeeded"),
    "many": ("simulate", {"duration": 0.1}, "succeeded"),
    "batch": ("develop_photos", {"photos": 3, "duration": 0.1}, "succeeded"),
}

each_example = pytest.mark.parametrize("slug", RUNS)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    with run_site(tmp_path_factory.mktemp("site")) as running:
        yield running


def get_page(site: Site, path: str) -> str:
    response = requests.get(site.url + path, timeout=DEADLINE)
    assert response.status_code == 200
    return response.text


def start(site: Site, task: str, **kwargs: float) -> dict[str, Any]:
    response = requests.post(f"{site.url}/start-task", json={"task": task, "kwargs": kwargs}, timeout=DEADLINE)
    assert response.status_code == 202, response.text
    return response.json()


@each_example
def test_example_ends_as_its_page_says(site, slug):
    task, kwargs, state = RUNS[slug]
    assert follow(site.url + start(site, task, **kwargs)["progress_url"])[-1]["state"] == state


@each_example
def test_form_of_an_example_starts_its_task_with_numbers_that_it_takes(site, slug):
    task, kwargs, _ = RUNS[slug]
    page = get_page(site, f"/demo/{slug}")
    fields = re.findall(r'name="(\w+)" type="number" value="(\d+)" required\s+min="(\d+)" max="(\d+)"', page)
    assert f'data-task="{task}"' in page
    assert {name for name, *_ in fields} - {"count"} == set(kwargs)
    assert [name for name, value, least, most in fields if not int(least) <= int(value) <= int(most)] == []


@pytest.mark.parametrize(
    ("task", "argument", "value"),
    [
        *((name, "duration", value) for name in settings.STARTABLE if name != "import_sample" for value in (-1, 3601)),
        ("import_sample", "rows", 0),
        ("import_sample", "rows", 200_001),
        ("develop_photos", "photos", 0),
        ("develop_photos", "photos", 41),
    ],
)
def test_task_that_would_go_on_too_long_fails_at_once(site, task, argument, value):
    end = follow(site.url + start(site, task, **{argument: value})["progress_url"])[-1]
    assert end["error"]["type"] == "ValueError"
    assert re.fullmatch(rf"{argument} must be between \d and \d+( seconds)?, not {value}", end["error"]["message"])


def test_numbers_are_spread_over_the_time_that_they_are_given():
    begun = time.monotonic()
    assert [(number, time.monotonic() - begun >= number / 100) for number in spread(5, 0.05)] == [
        (number, True) for number in (1, 2, 3, 4, 5)
    ]


@each_example
def test_code_on_the_page_is_that_of_the_job(site, slug):
    page = get_page(site, f"/demo/{slug}")
    file, code = re.search(r"<strong>The job</strong> ([\w/.]+)<.*?<code>(.*?)</code>", page, re.DOTALL).groups()
    shown = ast.parse(unescape(code)).body[0]
    functions = [node for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)]
    (job,) = [function for function in functions if function.name == shown.name]
    job.decorator_list, job.body = [], job.body[1:]  # the first is the docstring
    assert ast.dump(shown) == ast.dump(job)


@pytest.mark.parametrize("slug", ["fail", "cancel", "indeterminate", "log"])
def test_job_on_the_page_is_the_task_that_is_started(site, slug):
    assert f"<code>def {RUNS[slug][0]}(" in get_page(site, f"/demo/{slug}")


@each_example
def test_template_on_the_page_is_what_makes_its_components(site, slug):
    page = get_page(site, f"/demo/{slug}?task=a")
    component = re.search(r'<task-progress task-id="a"([^>]*)>', page)[1]
    line = re.search(r"<code>({% .*?)</code>", page)[1]
    for option in ("cancel", "logs", "compact"):
        assert (f"{option}=True" in line) is (f" {option}" in component)


def test_new_component_is_made_as_those_in_the_page(site):
    page = get_page(site, "/demo/cancel?task=a")
    known, new = re.findall(r"<task-progress task-id=\"\w+\"([^>]*)>", page)
    assert known == new


def test_tasks_of_the_address_are_numbered_and_the_newest_comes_first(site):
    page = get_page(site, "/demo/five?task=a&task=b&task=a")
    assert re.findall(r'task-id="(\w+)" label="([^"]+)"', page) == [("b", "Simulation 2"), ("a", "Simulation 1")]


@each_example
def test_page_needs_nothing_that_its_content_security_policy_forbids(site, slug):
    response = requests.get(f"{site.url}/demo/{slug}", timeout=DEADLINE)
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in response.headers["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", response.text) == []


def test_index_links_to_each_example(site):
    assert set(re.findall(r'href="/demo/(\w+)"', get_page(site, "/"))) == set(RUNS)


def test_page_of_no_example_is_not_found(site):
    assert requests.get(f"{site.url}/demo/none", timeout=DEADLINE).status_code == 404


def test_page_of_an_example_refuses_other_methods(site):
    response = requests.post(f"{site.url}/demo/one", timeout=DEADLINE)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


def send(site: Site, content: bytes, page: str) -> requests.Response:
    """Upload a file from the page of an example, as a browser without JavaScript does."""
    url, headers = f"{site.url}/import-csv?page={page}", {"Accept": "text/html"}
    return requests.post(url, files={"file": content}, headers=headers, allow_redirects=False, timeout=DEADLINE)


@pytest.mark.parametrize(("page", "path"), [("import", "/demo/import"), ("//evil.example", "/")])
def test_browser_is_sent_back_to_the_page_it_came_from_and_to_no_other(site, page, path):
    response = send(site, b"name,email,amount,joined\nAda,ada@example.com,1,2024-01-01\n", page)
    assert re.fullmatch(rf"{path}\?task=\w+", response.headers["Location"])


def test_refusal_is_on_the_page_that_the_file_came_from(site):
    response = send(site, b"", "import")
    assert response.status_code == 400
    assert '<p class="alert" role="alert">The file is empty.</p>' in response.text
    assert "<h1>Import a file</h1>" in response.text


def test_stages_of_an_import_end_full(site):
    end = follow(site.url + start(site, "import_sample", rows=300)["progress_url"])[-1]
    assert [(stage["name"], stage["progress"], stage["state"]) for stage in end["stages"]] == [
        ("Check", 100, "succeeded"),
        ("Import", 100, "succeeded"),
    ]
