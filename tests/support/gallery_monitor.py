"""Pictures of the monitor's pages, for `python -m tests.gallery`."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.support.browser import open_browser
from tests.support.monitor_site import (
    ANA,
    LI,
    OMAR,
    ago,
    make_attempt,
    make_span,
    make_task,
    make_url,
    open_staff_tab,
    put_tasks,
    run_monitor_site,
)
from tests.support.wire_site import Site

WIDE = {"width": 1200, "height": 660}
TABLET = {"width": 768, "height": 640}
PHONE = {"width": 320, "height": 640}

STAGES = [
    {"name": "Load sources", "weight": 1, "progress": 100, "state": "succeeded"},
    {"name": "Render charts", "weight": 3, "progress": 71, "state": "running"},
    {"name": "Write file", "weight": 1, "progress": 0, "state": "queued"},
]
ARGUMENTS = [
    {"name": "quarter", "value": "'2026-Q3'"},
    {"name": "options", "value": "{'charts': ['revenue', 'returns'], 'api_key': ********}"},
    {"name": "password", "value": "********"},
]
TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/tasks.py", line 88, in train_model
    loss = fit(shard, epochs=epochs)
           ^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/models.py", line 41, in fit
    buffer = np.empty((rows, width), dtype=np.float64)
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
{error}
"""
TRAINING = [
    {"name": "Load shards", "weight": 1, "progress": 100, "state": "succeeded"},
    {"name": "Train", "weight": 4, "progress": 21, "state": "failed"},
    {"name": "Publish", "weight": 1, "progress": 0, "state": "queued"},
]
LINES = [
    ("info", "Loaded 4 sources"),
    ("warning", 'Row 611: "12,oo" is not a number, skipped'),
    ("info", "Rendering chart 18 of 25"),
]
PAST = [
    ("send_invoice", LI),
    ("make_thumbnails", ANA),
    ("sync_prices", None),
    ("build_feed", OMAR),
    ("import_orders", ANA),
]
LONG = "reindex_the_search_of_the_whole_catalogue_and_of_all_that_has_ever_been_in_it"


def make_tasks() -> list[dict[str, Any]]:
    """Return what a busy hour leaves: first one task of each kind, then many that have ended."""
    return [
        make_task("customers", "shop.tasks.import_file", label="Import customers.csv", age=7, owner=ANA,
                  progress=42, percent=42.3, status="Importing rows", current=42310, total=100000, unit="rows",
                  rate=13600, eta=4.4),
        make_task("report", "shop.tasks.quarterly_report", label="Quarterly report, Q3", age=72, owner=LI,
                  progress=63, percent=63.0, eta=31, status="Render charts", stages=STAGES,
                  meta={"quarter": "Q3", "source": {"files": 4, "rows": 1200}},
                  log=LINES, start=64, attempts=[
                      make_attempt(1, 64, arguments=ARGUMENTS, stages=[
                          make_span("Load sources", 64, 43), make_span("Render charts", 43)])]),
        make_task("inventory", "shop.tasks.sync_inventory", age=200, progress=18, percent=18.0, stalled=True,
                  status="Fetching page 7", updated_at=ago(18)),
        make_task("folders", "shop.tasks.scan_folders", age=230, owner=OMAR, percent=None, status="Scanning"),
        make_task("photos", "shop.tasks.resize_photos", "queued", age=231, owner=ANA, queue_position=3),
        make_task("orders", "shop.tasks.import_file", "succeeded", label="Import orders.csv", age=302, end=240,
                  owner=ANA, status="Importing rows", conclusion="99,001 imported, 999 skipped",
                  result={"url": "/reports/7", "imported": 99001, "skipped": 999},
                  attempts=[make_attempt(1, 302, 240)]),
        make_task("model", "shop.tasks.train_model", "failed", age=310, start=280, end=250, owner=OMAR, progress=37,
                  status="Failed: out of memory on shard 4", attempt=2, attempts=make_attempts(), stages=TRAINING,
                  error={"type": "MemoryError", "message": "out of memory on shard 4"}),
        make_task("archive", "shop.tasks.export_archive", "cancelled", age=320, end=280, owner=LI, progress=55),
        make_task("search", f"shop.tasks.{LONG}", "lost", age=330, end=285, progress=71, status="Batch 12 of 17"),
        *make_past(),
    ]  # fmt: skip


def make_attempts() -> list[dict[str, Any]]:
    """Return two attempts that failed, on two machines."""
    return [
        make_attempt(
            1, 304, 290, state="queued", traceback=TRACEBACK.format(error="ConnectionError: shard 2 can't be reached"),
            stages=[make_span("Load shards", 304, 290, "failed")],
        ),
        make_attempt(
            2, 280, 250, state="failed", host="worker-3", process=317,
            arguments=[{"name": "epochs", "value": "12"}],
            stages=[make_span("Load shards", 280, 272), make_span("Train", 272, 250, "failed")],
            traceback=TRACEBACK.format(error="MemoryError: out of memory on shard 4"),
        ),
    ]  # fmt: skip


def make_past() -> Iterator[dict[str, Any]]:
    """Yield tasks that ended within the last hour, now more, now fewer."""
    for minute in range(60):
        for place in range(round(4 + 3 * math.sin(minute / 6) + 1.5 * math.sin(minute * 1.7))):
            end = 60 * minute + 7 * place + 5
            state = "failed" if (minute, place) in ((11, 0), (26, 1), (47, 0)) else "succeeded"
            name, owner = PAST[(3 * minute + place) % len(PAST)]
            age = max(end + 90 + 40 * place, 350 + minute)
            yield make_task(f"past-{minute}-{place}", f"shop.tasks.{name}", state, age=age, end=end, owner=owner)


def save_monitor_pictures(folder: Path) -> None:
    """Save what a wide page, a phone and a page that is read from right to left show of the monitor."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as data, run_monitor_site(Path(data)) as site, open_browser() as browser:
        save_empty(browser, site, folder)
        put_tasks(site, make_tasks())
        for scheme in ("light", "dark"):
            save_lists(browser, site, folder, scheme)
            save_details(browser, site, folder, scheme)
            save_problems(browser, site, folder, scheme)


def save_empty(browser: Browser, site: Site, folder: Path) -> None:
    with open_list(browser, site, "light") as page:
        page.screenshot(path=folder / "monitor-empty.png", full_page=True)


def save_lists(browser: Browser, site: Site, folder: Path, scheme: str) -> None:
    for name, viewport in {"wide": WIDE, "tablet": TABLET, "phone": PHONE}.items():
        with open_list(browser, site, scheme, viewport=viewport) as page:
            page.screenshot(path=folder / f"monitor-{name}-{scheme}.png")
            page.locator("#rows").get_by_role("button").first.click()
            page.evaluate("document.documentElement.dir = 'rtl'")
            page.screenshot(path=folder / f"monitor-{name}-{scheme}-right-to-left.png", full_page=True)


def save_details(browser: Browser, site: Site, folder: Path, scheme: str) -> None:
    for name, viewport in {"wide": {"width": 900, "height": 640}, "phone": PHONE}.items():
        for task_id in ("report", "orders", "model"):
            with open_staff_tab(
                browser, site, color_scheme=scheme, viewport=viewport, reduced_motion="reduce"
            ) as page:
                page.goto(make_url(site, f"/tasks/{task_id}/monitor"))
                expect(page.locator("#timeline .note").filter(has_text="process")).not_to_have_count(0)
                if task_id == "report":
                    page.locator(".line").last.wait_for()
                page.screenshot(path=folder / f"monitor-{task_id}-{name}-{scheme}.png", full_page=True)


def save_problems(browser: Browser, site: Site, folder: Path, scheme: str) -> None:
    with open_list(browser, site, scheme, query="?q=nothing") as page:
        page.screenshot(path=folder / f"monitor-unmatched-{scheme}.png")
    with open_list(browser, site, scheme) as page:
        page.route("**/tasks/monitor/data*", lambda route: route.abort())
        expect(page.locator("#stale")).to_be_visible(timeout=30_000)
        page.screenshot(path=folder / f"monitor-stale-{scheme}.png")
        page.unroute("**/tasks/monitor/data*")
        page.context.clear_cookies()
        expect(page.get_by_role("heading", name="You are logged out")).to_be_visible(timeout=30_000)
        page.screenshot(path=folder / f"monitor-expired-{scheme}.png")
    with open_staff_tab(
        browser, site, name="li", color_scheme=scheme, viewport=WIDE, expected_errors=("403",)
    ) as page:
        page.goto(make_url(site))
        page.screenshot(path=folder / f"monitor-forbidden-{scheme}.png")


@contextmanager
def open_list(
    browser: Browser,
    site: Site,
    scheme: str,
    *,
    query: str = "",
    viewport: dict[str, int] = WIDE,
) -> Iterator[Page]:
    options: dict[str, Any] = {"color_scheme": scheme, "viewport": viewport, "reduced_motion": "reduce"}
    with open_staff_tab(browser, site, expected_errors=("Failed to load resource",), **options) as page:
        page.goto(make_url(site, f"/tasks/monitor{query}"))
        expect(page.locator("#signal")).to_have_text("Live", timeout=30_000)
        yield page
