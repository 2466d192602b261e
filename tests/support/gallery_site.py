"""Pictures of the demo site's pages, each while something happens there; `tests.gallery` saves them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page

from tests.site.test_site import run_site
from tests.support.browser import open_tab

VIEWS = {
    "wide-light": {"width": 1280, "scheme": "light"},
    "wide-dark": {"width": 1280, "scheme": "dark"},
    "phone-light": {"width": 320, "scheme": "light"},
    "phone-dark": {"width": 320, "scheme": "dark"},
}
DEADLINE = 60_000

HALF = ("task-progress .percent", r"^[4-9]\d%$")
FOUND = ("task-progress .meta", r"^[4-9]\d\d files")


def start(*, seconds: int | None = 6, until: tuple[str, str] = HALF) -> Callable[[Page], None]:
    """Return what presses Start and waits until an element of this selector has such a text."""

    def act(page: Page) -> None:
        if seconds is not None:
            page.fill("#duration", str(seconds))
        page.click("#start-form button")
        wait_for(page, until)

    return act


def wait_for(page: Page, until: tuple[str, str]) -> None:
    selector, text = until
    page.locator(selector, has_text=re.compile(text)).first.wait_for(timeout=DEADLINE)


def cancel(page: Page) -> None:
    """Cancel one task, and be about to cancel another."""
    start()(page)
    page.click("task-progress .cancel")
    page.click("task-progress .yes")
    wait_for(page, ("task-progress .line", "photos back"))
    start(seconds=20)(page)
    page.locator("task-progress .cancel").first.click()


#: A file with one valid row, and another without any.
ROWS = "Name;Email;Amount;Joined;Phone\nZoë;zoe@example.com;12,50;2024-02-29;1\n;nobody;1.234,50;29/02/2024;2\n"
BAD_ROWS = "name,email,amount,joined\n" + "Ada Lovelace,ada at example.com,1,2024-01-01\n" * 3


def send(content: str) -> Callable[[Page], None]:
    """Return what imports a file, opens the list of its skipped rows, and chooses another file that is refused."""

    def act(page: Page) -> None:
        choose(page, "customers-2026.csv", content.encode())
        page.click("summary", timeout=DEADLINE)
        choose(page, "customers-2019.csv", content.replace("A", "Ä").encode("cp1252"))
        wait_for(page, ("#import-form [role=alert]", "Windows-1252"))

    return act


def choose(page: Page, name: str, content: bytes) -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": content})
    page.click("#import-form button")


def do_nothing(page: Page) -> None:
    """Leave the page as it was opened."""


@dataclass(frozen=True)
class Scene:
    """The name of a picture, the path of the page, and what is done there before it is taken.

    Attributes:
        expected_errors: texts of errors that the browser logs then.
    """

    name: str
    path: str
    act: Callable[[Page], None] = do_nothing
    expected_errors: tuple[str, ...] = ()


SCENES = (
    Scene("demo", "/"),
    Scene("demo-one", "/demo/one", start()),
    Scene("demo-five", "/demo/five", start()),
    Scene("demo-import", "/demo/import", start(seconds=None)),
    Scene("demo-import-skipped", "/demo/import", send(ROWS), ("400",)),
    Scene("demo-import-failed", "/demo/import", send(BAD_ROWS), ("400",)),
    Scene("demo-fail", "/demo/fail", start(until=("task-progress .status", "^Failed"))),
    Scene("demo-cancel", "/demo/cancel", cancel),
    Scene("demo-indeterminate", "/demo/indeterminate", start(until=FOUND)),
    Scene("demo-log", "/demo/log", start()),
    Scene("demo-many", "/demo/many", start(seconds=12)),
    Scene("demo-batch", "/demo/batch", start(seconds=12, until=("task-progress .status", "failed"))),
)


def save_site_pictures(browser: Browser, folder: Path) -> None:
    """Save what each page shows on a wide screen and on a phone, light and dark."""
    with TemporaryDirectory() as data, run_site(Path(data)) as site:
        for name, view in VIEWS.items():
            for scene in SCENES:  # whose tasks are over by the next view
                save_scene(browser, site.url, scene, folder / f"{scene.name}-{name}.png", **view)


def save_scene(browser: Browser, url: str, scene: Scene, path: Path, *, width: int, scheme: str) -> None:
    options = {"viewport": {"width": width, "height": 640}, "color_scheme": scheme, "reduced_motion": "reduce"}
    with open_tab(browser, expected_errors=scene.expected_errors, **options) as page:
        page.goto(url + scene.path)
        scene.act(page)
        page.screenshot(path=path, full_page=True)
