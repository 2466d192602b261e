"""The component looks the same whatever renders it, in each part of its life, under foreign styles."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.page.test_host_styles import MEASURE
from tests.support.browser import needs_chromium, open_tab
from tests.support.frameworks import NotInstalled, build_scripts
from tests.support.matrix import LIVES, ROWS, STYLES, show_matrix
from tests.support.stub import Stub, run_stub

pytestmark = [pytest.mark.slow, needs_chromium]

#: The look of each component, by its row and its life; labels differ.
MEASURE_ALL = f"""() => [...document.querySelectorAll("#matrix > *")].map((place) => {{
  const element = place.firstElementChild;
  element.setAttribute("label", "One");
  return [[place.dataset.row, place.dataset.life], ({MEASURE})(element)];
}})"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The script of each package."""
    try:
        return build_scripts(tmp_path_factory.mktemp("matrix"))
    except NotInstalled as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        yield running


@pytest.fixture(scope="module")
def tab(browser: Browser, stub: Stub) -> Iterator[Page]:
    """A page that is closed before its server."""
    with open_tab(browser, viewport={"width": 2160, "height": 900}, reduced_motion="reduce") as page:
        yield page


def measure_all(stub: Stub, tab: Page, scripts: Mapping[str, str], style: str) -> dict[tuple[str, str], Any]:
    show_matrix(stub, tab, scripts, style)
    tab.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    return {(row, life): look for (row, life), look in tab.evaluate(MEASURE_ALL)}


@pytest.fixture(scope="module")
def plain(stub: Stub, tab: Page, scripts: Mapping[str, str]) -> dict[tuple[str, str], Any]:
    """The looks in a page without any style of its own."""
    return measure_all(stub, tab, scripts, "")


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("row", ROWS[1:])
def test_component_looks_as_by_hand(plain, row, life):
    assert plain[row, life] == plain[ROWS[0], life]


@pytest.mark.parametrize("style", [style for name, style in STYLES.items() if style], ids=[*STYLES][1:])
def test_components_look_as_in_a_plain_page(plain, stub, tab, scripts, style):
    assert measure_all(stub, tab, scripts, style) == plain
