"""Values of every wrong shape in the cache, as another program or another version may have left them there."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import AsyncClient

from tasks_app.snapshot.log_page import parse_page
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store import keys
from tasks_app.store.recent import TURN
from tasks_app.store.store import decode
from tasks_app.utils.json import encode_json
from tests.support.viewers import NOW, make_running, put_silently, read_rest

SHAPES: dict[str, Any] = {
    "no bytes": b"",
    "bytes": b"\xff",
    "JSON as bytes": b"{}",
    "whole number": 5,
    "negative number": -1,
    "huge number": 10**30,
    "number": 1.5,
    "no number": math.nan,
    "infinity": math.inf,
    "flag": True,
    "empty list": [],
    "list": [1, "t1"],
    "list of lists": [[]] * TURN,
    "tuple": (1, 2, 3),
    "empty dict": {},
    "dict": {"a": 1},
    "set": {1},
    "time": datetime(2026, 1, 1, tzinfo=UTC),
    "no text": "",
    "text": "x",
    "half of a pair": "\ud800",
    "NUL": "\0",
    "half of an object": '{"state": "running",',
    "JSON list": "[]",
    "JSON pair": "[[], 1e999]",
    "JSON null": "null",
    "JSON number": "5",
    "JSON text": '"x"',
    "JSON object": "{}",
    "JSON of no number": '{"seq": NaN}',
    "JSON of infinity": '{"seq": 1e999}',
    "too many digits": "9" * 5000,
    "nested too deep": "[" * 100_000,
    "a page of infinity": '{"offset": 1e999, "lines": []}',
    "a claim without its answer": '{"body": "x", "answer": 5}',
    "another task's": make_running("t2").to_json(),
}

#: What a client may ask for.
READS = [
    "/tasks/t1",
    "/tasks",
    "/tasks/monitor/data",
    "/tasks/ended/monitor/details",
    "/task-progress?task=t1&task=ended",
    "/task-progress/ended?logs=1",
]

#: The keys that no task has for itself.
SHARED = [keys.RECENT_COUNT_KEY, keys.make_mark_key(), keys.make_plan_key(0), keys.make_client_key("user:1")]
SHARED += [keys.make_recent_key(1), keys.make_claim_key('["1","k"]'), keys.make_client_key("127.0.0.1")]


def find_keys(task_id: str) -> list[str]:
    """Return the keys of all that is stored of a task."""
    makers = [keys.make_task_key, keys.make_cancel_key, keys.make_received_key, keys.make_followers_key]
    return [
        *(make(task_id) for make in [*makers, keys.make_attempt_key]),
        *(make(task_id, number) for make in (keys.make_page_key, keys.make_details_key) for number in (0, 1)),
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("value", SHAPES.values(), ids=SHAPES)
async def test_no_value_in_the_cache_makes_an_error_of_the_server(value):
    client = AsyncClient(raise_request_exception=False)
    user = await User.objects.acreate(pk=1, username="chief", is_staff=True, is_superuser=True)
    await client.aforce_login(user)
    ended = make_running("ended").succeeded(now=NOW)
    put_silently(ended)
    for key in {*SHARED, *find_keys("t1"), *find_keys("ended")} - {keys.make_task_key("ended")}:
        caches["default"].set(key, value)
    statuses = {}
    for place in READS:
        response = await client.get(place)
        statuses[place] = response.status_code
        if response.streaming:
            await read_rest(response)
    for place in ("/tasks/t1/cancel", "/start-task"):
        headers = {"Idempotency-Key": "k"} if place == "/start-task" else {}
        response = await client.post(place, content_type="application/json", headers=headers)
        statuses[place] = response.status_code
    assert {place: status for place, status in statuses.items() if status not in (200, 202, 404)} == {}


TIMES = ["0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00", "9999-12-31T23:59:59Z"]
STAGES = [[{"name": 5, "weight": 1, "progress": 5, "state": "running"}], [{"name": "a"}], [None]]
STAGES += [
    [{"name": "a", "weight": weight, "progress": progress, "state": "running"}]
    for weight, progress in [(0, 5), (-1, 5), ("x", 5), (10**400, 5), (1, "nan"), (1, 200), (1, None)]
]
ODD = [None, True, -1, 10**400, 1.5, "x", "nan", [], [1], {}, {"a": 1}, {"type": 5, "message": []}, *TIMES, *STAGES]


@pytest.mark.parametrize("name", [*json.loads(make_running().to_json()), "expires_at", "result_omitted"])
def test_stored_snapshot_with_an_odd_field_is_none_or_can_be_shown(name):
    data = json.loads(make_running().to_json())
    for value in ODD:
        if (snapshot := decode("t1", json.dumps(data | {name: value}))) is not None:
            encode_json(snapshot.to_wire())
            assert snapshot.event_id
            assert snapshot.waits_for >= 0
            assert min(snapshot.updated_at, snapshot.created_at) <= NOW or name.endswith("_at")
            assert Snapshot.from_json(snapshot.to_json()) == snapshot


@pytest.mark.parametrize("offset", [None, "x", [], "1e999"])
def test_stored_page_with_an_odd_offset_is_none(offset):
    text = json.dumps({"offset": offset, "lines": []}).replace('"1e999"', "1e999")
    with pytest.raises(ValueError, match="not a stored page"):
        parse_page(text)
