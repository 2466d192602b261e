"""One client that asks for all it can, beside another that must not notice."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support import wire
from tests.support.floods import STARTS, run_floods
from tests.support.servers import run_daphne
from tests.support.waiting import wait_until
from tests.support.wire_site import Site, find_errors
from tests.support.wrapped import WRAPPED

pytestmark = pytest.mark.slow

#: More than the list of recent tasks holds, and than one client may have of the cache.
ENOUGH_STARTS = 1_200


@dataclass
class Visitor:
    """A well-behaved client, and the answers to what it has started, by idempotency key."""

    site: Site
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def start(self, key: str, order: dict[str, Any]) -> dict[str, Any]:
        headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)]
        answer = wire.send(self.site.port, "POST", "/start-task", headers, json.dumps(order).encode())
        assert answer.status == 202, answer
        return answer.json()

    def run(self) -> None:
        """Start a task, and watch it to its end."""
        key = f"mine {len(self.answers)}"
        self.answers[key] = answer = self.start(key, {"task": "count"})
        with wire.EventStream(self.site.port, f"{answer['progress_url']}?token={answer['token']}") as stream:
            assert stream.read_all()[-1].json()["state"] == "succeeded"

    @property
    def task_ids(self) -> set[str]:
        return {answer["task_id"] for answer in self.answers.values()}


@dataclass(frozen=True)
class Aftermath:
    """What a flood has left: of the visitor, who had a task that ran all the time, and what the flood was answered."""

    visitor: Visitor
    lasting: str
    events_of_lasting: list[wire.Event]
    flood: Counter[str]
    log: str


@pytest.fixture(scope="module")
def aftermath() -> Iterator[Aftermath]:
    """A flood until enough was started by it, while a visitor started tasks and watched them."""
    tasks_app = {"START_RATE": "100000/m"}  # what is tried is what holds after that limit
    settings = {"DJANGO_SETTINGS_MODULE": "tests.support.hostile_settings", "WIRE_TASKS_APP": json.dumps(tasks_app)}
    with run_daphne(WRAPPED, env=settings) as server:
        site = Site(server)
        visitor = Visitor(site)
        lasting = visitor.start("lasting", {"task": "puppet", "kwargs": {"name": "lasting"}})
        with site.open(lasting["task_id"], query=f"?token={lasting['token']}") as stream:
            flood = watch_flood(site, visitor)
            site.order_return("lasting", "untouched")
            yield Aftermath(visitor, lasting["task_id"], stream.read_all(), flood, site.log)


def watch_flood(site: Site, visitor: Visitor) -> Counter[str]:
    """Return what a flood was answered that has started enough, with the tasks of a visitor among its own."""
    with run_floods(site.port) as get_answers:
        for share in range(10):
            wait_until(
                lambda share=share: count_starts(get_answers()) >= ENOUGH_STARTS * share / 10, "the flood goes on"
            )
            visitor.run()
        wait_until(lambda: count_starts(get_answers()) >= ENOUGH_STARTS, "the flood has started enough")
        return get_answers()


def count_starts(answers: Counter[str]) -> int:
    return sum(answers[f"{kind} 202"] for kind in STARTS)


def test_flood_was_one(aftermath):
    for kind in STARTS:
        assert aftermath.flood[f"{kind} 202"] > 10, aftermath.flood


def test_every_task_of_another_client_is_still_known(aftermath):
    visitor = aftermath.visitor
    states = {task_id: visitor.site.get_snapshot(task_id).get("state") for task_id in visitor.task_ids}
    assert set(states.values()) == {"succeeded"}


def test_every_idempotency_key_of_another_client_is_still_known(aftermath):
    visitor = aftermath.visitor
    again = {key: visitor.start(key, {"task": "count"})["task_id"] for key in visitor.answers}
    assert again == {key: answer["task_id"] for key, answer in visitor.answers.items()}


def test_every_task_of_another_client_is_still_on_the_list(aftermath):
    visitor = aftermath.visitor
    listed = wire.send(visitor.site.port, "GET", "/tasks?limit=200").json()["tasks"]
    assert visitor.task_ids <= {snapshot["task_id"] for snapshot in listed}


def test_stream_of_another_client_goes_on_to_the_end_of_its_task(aftermath):
    last = aftermath.events_of_lasting[-1]
    assert (last.type, last.json()["result"]) == ("end", "untouched")


def test_no_task_is_cancelled_by_who_found_it_on_a_list(aftermath):
    assert aftermath.flood["foreign cancels 202"] == 0
    assert sum(number for kind, number in aftermath.flood.items() if kind.startswith("foreign cancels 4")) > 10


def test_flood_is_refused_by_no_error_of_the_server(aftermath):
    assert {kind for kind in aftermath.flood if " 5" in kind and not kind.endswith(" 503")} == set()
    assert find_errors(aftermath.log) == []
