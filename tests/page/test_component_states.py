"""The states of a task: the server, the scripts of its pages and their words name the same ones."""

import re

import pytest
from playwright.sync_api import Browser

from tasks_app.snapshot import State
from tasks_app.templatetags.texts import TEXTS
from tests.support.browser import needs_chromium, open_tab
from tests.support.servers import ROOT
from tests.support.stub import run_stub

#: States that a page shows, beside those that a snapshot has.
SHOWN_ONLY = {"connecting", "stalled", "missing"}


@needs_chromium
def test_scripts_know_the_servers_states_and_which_are_terminal(browser: Browser):
    module = "import('/static/tasks_app/task-progress-states.js')"
    with run_stub() as stub, open_tab(browser) as page:
        stub.show(page)
        live, terminal = page.evaluate(f"{module}.then(({{ LIVE, TERMINAL }}) => [[...LIVE], [...TERMINAL]])")
    assert set(terminal) == {state for state in State if state.is_terminal}
    assert set(live) == {state for state in State if not state.is_terminal}


@pytest.mark.parametrize("state", [*State, *sorted(SHOWN_ONLY)])
def test_each_state_has_a_word(state: str):
    assert TEXTS[state]


def test_monitor_can_filter_by_each_state():
    template = (ROOT / "tasks_app/templates/tasks_app/monitor.html").read_text()
    chips = re.findall(r'class="chip" href="\?(?:state=(\w+))?" data-state="(\w*)"', template)
    assert sorted(chips) == sorted((state, state) for state in ("", "stalled", *State))
