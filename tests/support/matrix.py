"""A page that shows the component by each framework, in each part of its life, under foreign styles."""

import json
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.support.browser import open_tab
from tests.support.frameworks import FRAMEWORKS, MORPHERS
from tests.support.stub import DONE, Stub, encode, run_stub

#: What resets and house styles do to everything in a page.
STYLES: Mapping[str, str] = {
    "plain": "",
    "root-of-62.5-percent": "html { font-size: 62.5% }",
    "capitals": "body { text-transform: uppercase; letter-spacing: 0.3em; word-spacing: 1em }",
    "heading": "body { font: italic 900 40px/3 serif; text-shadow: 2px 2px red; text-indent: 3em }",
    "preflight": "*, ::before, ::after { margin: 0; padding: 0; border: 0 solid; box-sizing: border-box }",
}

#: The class by which Tailwind's pages are dark, and the colours of such a page.
DARK = ":root { color-scheme: normal !important } .dark body { background: #0f172a; color: #e2e8f0 }"

ROWS = ["by hand", *FRAMEWORKS, *MORPHERS]

#: The lives of a component: what it is rendered with, one after the other; nothing takes it away.
LIVES: Mapping[str, list[Mapping[str, object] | None]] = {
    "rendered": [{"task-id": "running"}],
    "with a button": [{"task-id": "running"}, {"task-id": "running", "cancel": True}],
    "ended": [{"task-id": "done"}],
    "other task": [{"task-id": "done"}, {"task-id": "failed"}],
    "taken away and back": [{"task-id": "running"}, None, {"task-id": "running"}],
    "compact": [{"task-id": "failed", "compact": True}],
}

COUNTED = {"current": 42310, "total": 100000, "unit": "rows", "rate": 13600, "eta": None}
FAILED = {"state": "failed", "status": "Failed: out of memory on shard 4", "finished_at": DONE["finished_at"]}
GREETING = (
    encode(task_id="running", **COUNTED)
    + encode(DONE, task_id="done")
    + encode(task_id="failed", **FAILED, error={"type": "MemoryError", "message": "out of memory on shard 4"})
)

LAYOUT = """
main { max-width: none !important; width: max-content; font-family: sans-serif }
#matrix { display: grid; grid-template-columns: repeat(var(--columns), 340px); gap: 12px }
"""

#: Lets each framework lead its components through their lives, and gives each cell its names.
LIVE = """({ rows, lives }) => {
  const write = ([name, value]) => (value === true ? ` ${name}` : ` ${name}="${value}"`);
  const renderers = { "by hand": renderByHand, ...window.renderers };
  function renderByHand(place, attributes) {
    if (!attributes) {
      place.replaceChildren();
      return;
    }
    const element = place.firstElementChild ?? place.appendChild(document.createElement("task-progress"));
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value === true ? "" : value));
  }
  function morph(row, place, attributes) {
    const element = place.firstElementChild;
    if (element && attributes) {
      const words = Object.entries(attributes).map(write).join("");
      window.morphers[row](element, `<task-progress${words}></task-progress>`);
    } else {
      renderByHand(place, attributes);
    }
  }
  const matrix = document.querySelector("#matrix");
  matrix.style.setProperty("--columns", Object.keys(lives).length);
  for (const row of rows) {
    const render = renderers[row] ?? ((place, attributes) => morph(row, place, attributes));
    for (const [life, steps] of Object.entries(lives)) {
      const place = matrix.appendChild(document.createElement("div"));
      Object.assign(place.dataset, { row, life });
      steps.forEach((step) => render(place, step && { label: `${row}: ${life}`, ...step }));
    }
  }
}"""


def show_matrix(stub: Stub, page: Page, scripts: Mapping[str, str], style: str) -> None:
    """Show each row's components, and wait until their tasks are known."""
    stub.greeting = GREETING
    stub.show(page, '<div id="matrix"></div>', head=f"<style>{style} {LAYOUT}</style>")
    for script in scripts.values():
        page.add_script_tag(content=script)
    page.evaluate(LIVE, {"rows": ROWS, "lives": LIVES})
    known = [page.locator(f"task-progress[data-state={state}]") for state in ("running", "succeeded", "failed")]
    for components, lives in zip(known, (3, 1, 2), strict=True):
        expect(components).to_have_count(lives * len(ROWS))


def save_matrix(browser: Browser, scripts: Mapping[str, str], folder: Path) -> None:
    """Save a picture of the page under each style, and of one that is dark by its class."""
    folder.mkdir(parents=True, exist_ok=True)
    with run_stub() as stub:
        for name, style in {**STYLES, "dark-class": DARK}.items():
            with open_tab(browser, viewport={"width": 2160, "height": 900}, reduced_motion="reduce") as page:
                show_matrix(stub, page, scripts, style)
                page.evaluate(f"document.documentElement.classList.toggle('dark', {json.dumps(name == 'dark-class')})")
                page.screenshot(path=folder / f"matrix-{name}.png", full_page=True)
