"""Numbers, times and counts as pages show them."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import needs_chromium, open_tab
from tests.support.stub import run_stub

pytestmark = needs_chromium

FORMAT = """async ([language, method, value]) => {
  const { Formatter } = await import("/static/tasks_app/task-progress-texts.js");
  return new Formatter(language)[method](value);
}"""


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    with run_stub() as stub, open_tab(browser) as page:
        stub.show(page)
        yield page


def format_in(tab: Page, language: str, method: str, value: Any) -> str | None:
    return tab.evaluate(FORMAT, [language, method, value])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(59, "0:59"), (3599, "59:59"), (4320, "1 h 12 min"), (172_799, "47 h 59 min"), (267_120, "3 d 2 h")],
)
def test_duration_has_two_units_at_most(tab, seconds, text):
    assert format_in(tab, "en", "duration", seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (13_600.4, "13,600 steps/s"),
        (0.5, "0.5 steps/s"),
        (0.05, "3 steps/min"),
        (0.001, "3.6 steps/h"),
        (1, "1 step/s"),
    ],
)
def test_slow_rate_is_said_by_the_minute_or_the_hour(tab, rate, text):
    assert format_in(tab, "en", "rate", {"rate": rate, "unit": "steps"}) == text


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("rows", "1 row"),
        ("files", "1 file"),
        ("boxes", "1 boxes"),
        ("series", "1 series"),
        ("bus", "1 bus"),
        (None, "1"),
    ],
)
def test_one_of_a_kind_is_said_in_the_singular_where_that_is_known(tab, unit, text):
    assert format_in(tab, "en", "count", {"current": 1, "total": None, "unit": unit}) == text


def test_units_in_other_languages_stay_as_the_job_says_them(tab):
    assert format_in(tab, "de", "count", {"current": 1, "total": None, "unit": "Kurs"}) == "1 Kurs"


def test_count_without_a_unit_is_shown(tab):
    assert format_in(tab, "en", "count", {"current": 4, "total": 10, "unit": None}) == "4 / 10"


def test_count_that_was_not_reported_is_not_shown(tab):
    assert format_in(tab, "en", "count", {"current": None, "total": 10, "unit": "rows"}) is None


def test_bytes_go_on_beyond_terabytes(tab):
    assert format_in(tab, "en", "count", {"current": 4.2e17, "total": None, "unit": "bytes"}) == "420 PB"


def test_position_that_is_not_translated_is_english_as_a_whole(tab):
    assert format_in(tab, "de", "position", 12_345) == "12,345th in line"


SAY = """async ([text, values]) => {
  const { say, texts } = await import("/static/tasks_app/task-progress-texts.js");
  texts.sample = text;
  return say("sample", values);
}"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Failed: {message}", "Failed: 12 rows"),
        ("فشل: {message}", "فشل: \N{FIRST STRONG ISOLATE}12 rows\N{POP DIRECTIONAL ISOLATE}"),
    ],
)
def test_value_in_a_text_that_is_read_from_right_to_left_is_isolated(tab, text, said):
    assert tab.evaluate(SAY, [text, {"message": "12 rows"}]) == said
