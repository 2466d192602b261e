"""Pictures of the component and of the demo in each state, for `python -m tests.gallery`."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.support.browser import open_browser, open_tab
from tests.support.gallery_site import save_site_pictures
from tests.support.stub import RUNNING, Stub, count_children, encode, make_component, run_stub

STAGES = [
    {"name": "Load sources", "weight": 1, "progress": 100, "state": "succeeded"},
    {"name": "Render charts", "weight": 3, "progress": 71, "state": "running"},
    {"name": "Write file", "weight": 1, "progress": 0, "state": "queued"},
]
#: The children of "batch" that run or have failed.
CHILDREN = [
    {**RUNNING, "task_id": "photo-26", "label": "26.jpg", "progress": 71, "percent": 71.0, "status": "Cropping"},
    {**RUNNING, "task_id": "photo-27", "label": "27.jpg", "progress": 12, "percent": 12.0, "status": "Loading"},
    {**RUNNING, "task_id": "photo-7", "label": "A picture with a long name of its own.jpg", "state": "failed",
     "status": "Failed: not a picture, whatever its name may say", "progress": 37, "percent": 37.0,
     "finished_at": "2026-03-01T09:41:09.000Z", "error": None},
]  # fmt: skip
ENDED = {"finished_at": "2026-03-01T09:42:04.000Z"}
LONG = "A name that is much longer than anything that would fit into the row of a component " * 2

#: Each state, in the order in which a person would meet it.
COMPONENTS = (
    make_component(
        'label="Import customers.csv" cancel',
        task_id="running",
        current=42310,
        total=100000,
        unit="rows",
        rate=13600,
        eta=4.4,
    ),
    make_component('label="Quarterly report" cancel logs', task_id="stages", status="Render charts", progress=63,
                   percent=63, stages=STAGES, eta=31),
    make_component('label="Resize photos" cancel', task_id="queued", state="queued", status="Queued", progress=0,
                   percent=None, queue_position=3, started_at=None, eta=58),
    make_component('label="Sync inventory" cancel', task_id="stalled", stalled=True, progress=18, percent=18,
                   status="Fetching page 7"),
    make_component('label="Scan folders" cancel', task_id="unknown", percent=None, progress=0, status="Scanning",
                   current=1284, unit="files"),
    make_component('label="Rebuild the index" cancel', task_id="estimated", percent=None, progress=0, status="Running",
                   expected=20.0),
    make_component('label="Download archive"', task_id="bytes", current=48_300_000, total=1_204_000_000, unit="bytes",
                   rate=5_200_000, eta=4000, status="Downloading", progress=4, percent=4),
    make_component('label="Import orders.csv"', task_id="done", state="succeeded", progress=100, percent=100,
                   status="99,001 imported, 999 skipped", result={"url": "/reports/7"}, **ENDED),
    make_component('label="Train model"', task_id="failed", state="failed", progress=37, percent=37,
                   status="Failed: out of memory on shard 4",
                   error={"type": "MemoryError", "message": "out of memory on shard 4"}, **ENDED),
    make_component('label="Export archive"', task_id="cancelled", state="cancelled", progress=55, percent=55, **ENDED),
    make_component('label="Reindex search"', task_id="lost", state="lost", progress=71, percent=71,
                   status="Batch 12 of 17", **ENDED),
    make_component(f'label="{LONG}" cancel', task_id="long", status=LONG, current=42310, total=100000, unit="rows",
                   rate=13600, eta=4.4),
    make_component('label="Resize 40 photos" cancel children', task_id="batch", progress=66, percent=66.4, eta=31,
                   status="Running", children=count_children(succeeded=26, failed=1, running=2, queued=11)),
    make_component('label="Nightly jobs"', task_id="few", progress=61, percent=61.0, status="Running",
                   children=count_children(succeeded=4, failed=1, running=2, queued=3)),
    make_component('label="Weekly jobs"', task_id="few-ended", state="failed", progress=83, percent=83.0,
                   status="Failed", children=count_children(succeeded=7, failed=2, cancelled=1), **ENDED),
    make_component('label="Thumbnails" compact', task_id="compact", progress=77, percent=77),
    make_component('label="Thumbnails of the whole catalogue" compact cancel', task_id="compact-done",
                   state="succeeded", progress=100, percent=100, **ENDED),
)  # fmt: skip

LINES = [
    {"t": "2026-03-01T09:41:07.000Z", "level": "info", "text": "Loaded 4 sources"},
    {"t": "2026-03-01T09:41:12.000Z", "level": "warning", "text": 'Row 611: "12,oo" is not a number, skipped'},
    {"t": "2026-03-01T09:41:13.000Z", "level": "info", "text": "Rendering chart 18 of 25"},
]
LOG = encode({"task_id": "stages", "offset": 0, "lines": LINES}, event="log")

VIEWS = {
    "wide-light": {"width": 604, "scheme": "light"},
    "wide-dark": {"width": 604, "scheme": "dark"},
    "phone-light": {"width": 320, "scheme": "light"},
    "phone-dark": {"width": 320, "scheme": "dark"},
    "right-to-left": {"width": 604, "scheme": "light", "lang": "ar", "dir": "rtl"},
}


def save_pictures(folder: Path) -> None:
    """Save all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with open_browser() as browser:
        save_component_pictures(browser, folder)
        save_site_pictures(browser, folder)


def save_component_pictures(browser: Browser, folder: Path) -> None:
    """Save what a wide page, a phone and a page that is read from right to left show."""
    with run_stub() as stub:
        stub.greeting = LOG
        stub.children["batch"] = CHILDREN
        for name, view in VIEWS.items():
            save_picture(browser, stub, folder / f"{name}.png", **view)


def save_picture(browser: Browser, stub: Stub, path: Path, *, width: int, scheme: str, **language: str) -> None:
    viewport = {"width": width, "height": 900}
    with open_tab(browser, viewport=viewport, color_scheme=scheme, reduced_motion="reduce") as page:
        stub.show(page, *COMPONENTS, **language)
        page.locator("task-progress").nth(4).get_by_role("button", name="Cancel").click()
        page.locator(".line").last.wait_for()
        page.locator(".child").last.wait_for()
        page.screenshot(path=path, full_page=True)
