"""What the board and the documents say of metrics is what there is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tasks_app.contrib.prometheus.instruments import Instruments
from tasks_app.contrib.prometheus.meter import PrometheusMeter
from tasks_app.contrib.prometheus.names import Names
from tasks_app.contrib.prometheus.recent_tasks import RecentTasks
from tasks_app.snapshot.snapshot import Snapshot
from tests.support.doubles import START
from tests.support.servers import ROOT

BOARD: dict[str, Any] = json.loads((ROOT / "docs/grafana/tasks_app.json").read_text())
EXPRESSIONS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
DOCUMENTS = ["docs/how-to/metrics.md", "docs/reference/metrics.md"]

#: What prometheus-client appends to the names of metrics.
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["", "_bucket", "_count", "_sum"]}


def find_metrics() -> Iterator[tuple[str, str, set[str]]]:
    """Yield the name, type and labels of each metric, after one of everything was counted."""
    registry = CollectorRegistry()
    count_one_of_each(PrometheusMeter(Instruments(registry), Names()))
    for family in registry.collect():
        labels = {name for sample in family.samples for name in sample.labels}
        yield family.name, family.type, labels - {"le"}
    for family in RecentTasks(Names()).describe():
        yield family.name, family.type, {"task", "state"}


def count_one_of_each(meter: PrometheusMeter) -> None:
    begun = Snapshot.queued("t1", "demo", now=START).begun(now=START)
    meter.note_begun(begun)
    meter.note_running({"demo": 1})
    meter.note_ended(begun.succeeded(now=START))
    meter.note_store_failure("get")


METRICS = list(find_metrics())
SERIES = {name + suffix for name, kind, _ in METRICS for suffix in SUFFIXES[kind]}


def find_series(text: str) -> set[str]:
    return set(re.findall(r"\btasks_app_\w+", text))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_board_names_only_metrics_that_exist(expression: str):
    assert find_series(expression) - SERIES == set()


def test_board_shows_every_metric():
    shown = find_series("\n".join(EXPRESSIONS))
    assert [name for name, kind, _ in METRICS if not shown & {name + suffix for suffix in SUFFIXES[kind]}] == []


def test_panels_of_the_board_do_not_overlap():
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in BOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_document_names_only_metrics_that_exist(document: str):
    assert find_series((ROOT / document).read_text()) - SERIES - {"tasks_app_tasks"} == set()


@pytest.mark.parametrize(("name", "kind", "labels"), METRICS)
def test_metric_is_described_with_its_type_and_labels(name: str, kind: str, labels: set[str]):
    shown = name + ("_total" if kind == "counter" else "")
    (row,) = re.findall(rf"^\| `{shown}` \|.*$", (ROOT / "docs/reference/metrics.md").read_text(), re.MULTILINE)
    assert (f"| {kind} |" in row, set(re.findall(r"`(task|state|call)`", row))) == (True, labels)
