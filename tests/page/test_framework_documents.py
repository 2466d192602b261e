"""What the document on React and Vue has people write, built of their packages as they are today."""

from collections.abc import Callable, Iterator, Mapping

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import needs_chromium, open_tab
from tests.support.frameworks import NotInstalled, build, install
from tests.support.readme import find_block
from tests.support.stub import DONE, Stub, encode, run_stub

pytestmark = [pytest.mark.slow, needs_chromium]

#: What a page of each needs besides the blocks; the ends that it is told of are in `ends`.
REACT = """
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { TaskBar } from "./TaskBar.jsx";
import { useTask } from "./useTask.js";

function Percent({ progressUrl }) {
  return createElement("output", null, useTask(progressUrl)?.progress);
}

window.ends = [];
const root = createRoot(document.querySelector("#app"));
const onEnd = (snapshot) => window.ends.push(snapshot.state);
window.showBar = () => root.render(createElement(TaskBar, { taskId: "t", onEnd }));
window.showPercent = () => root.render(createElement(Percent, { progressUrl: "/task-progress?task=t" }));
"""

VUE = """
import { createApp } from "vue/dist/vue.esm-bundler.js";

window.ends = [];
const onEnd = (event) => window.ends.push(event.detail.state);
const app = createApp({ template: TEMPLATE, setup: () => ({ taskId: "t", token: undefined, onEnd }) });
app.config.compilerOptions.isCustomElement = (tag) => tag === "task-progress";
window.showBar = () => app.mount("#app");
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The script of each page."""
    folder = tmp_path_factory.mktemp("documents")
    try:
        install(folder)
    except NotInstalled as error:
        pytest.skip(str(error))
    template = find_block("html", ':task-id="taskId"')
    sources = {
        "TaskBar.jsx": find_block("jsx", "TaskBar"),
        "useTask.js": find_block("js", "useTask"),
        "react-page.js": REACT,
        "vue-page.js": f"const TEMPLATE = {template!r};\n{VUE}",
    }
    for name, text in sources.items():
        (folder / name).write_text(text, encoding="utf-8")
    return build(folder, ["react-page", "vue-page"])


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        running.greeting = encode()
        yield running


@pytest.fixture
def show(browser: Browser, stub: Stub, scripts: Mapping[str, str]) -> Iterator[Callable[[str], Page]]:
    """Show a page of a framework."""
    with open_tab(browser) as page:

        def show(name: str) -> Page:
            stub.show(page, '<div id="app"></div>')
            page.add_script_tag(content=scripts[f"{name}-page"])
            return page

        yield show


@pytest.mark.parametrize("name", ["react", "vue"])
def test_bar_shows_its_task_and_tells_of_its_end(show: Callable[[str], Page], stub: Stub, name: str):
    page = show(name)
    page.evaluate("showBar()")
    expect(page.locator("task-progress")).to_have_attribute("data-state", "running")
    expect(page.locator("task-progress .cancel")).to_be_visible()
    stub.wait_for_stream().send(encode(DONE))
    page.wait_for_function("ends.length")
    assert page.evaluate("ends") == ["succeeded"]


def test_hook_returns_the_latest_snapshot(show: Callable[[str], Page]):
    page = show("react")
    page.evaluate("showPercent()")
    expect(page.locator("output")).to_have_text("42")
