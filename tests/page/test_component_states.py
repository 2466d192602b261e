"""The states of a task: the server, the scripts of its pages and their words name the same ones."""

import json
import re

import pytest

from tasks_app.snapshot import State
from tasks_app.templatetags.texts import TEXTS
from tests.support.servers import ROOT

#: States that a page shows, beside those that a snapshot has.
SHOWN_ONLY = {"connecting", "stalled", "missing"}


def read_set(name: str) -> set[str]:
    """Return the texts of a set that the scripts' module of states hands out."""
    script = (ROOT / "tasks_app/static/tasks_app/task-progress-states.js").read_text()
    (literal,) = re.findall(rf"^export const {name} = new Set\((\[.*\])\);$", script, re.MULTILINE)
    return set(json.loads(literal))


def test_scripts_know_the_servers_states_and_which_are_terminal():
    assert read_set("TERMINAL") == {state for state in State if state.is_terminal}
    assert read_set("LIVE") == {state for state in State if not state.is_terminal}


@pytest.mark.parametrize("state", [*State, *sorted(SHOWN_ONLY)])
def test_each_state_has_a_word(state: str):
    assert TEXTS[state]


def test_monitor_can_filter_by_each_state():
    template = (ROOT / "tasks_app/templates/tasks_app/monitor.html").read_text()
    chips = re.findall(r'class="chip" href="\?(?:state=(\w+))?" data-state="(\w*)"', template)
    assert sorted(chips) == sorted((state, state) for state in ("", "stalled", *State))
