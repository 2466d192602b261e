"""Messages of every wrong shape on the channel layer, as another program or another version may send them."""

import asyncio
import logging
from typing import Any

import pytest

from tasks_app.wakeups import channel_layer
from tasks_app.wakeups.channel_layer import LayerListener, name_group
from tests.support.viewers import until

TASK_ID = "t1"

MESSAGES: dict[str, Any] = {
    "nothing": None,
    "empty": {},
    "list": [],
    "text": "x",
    "number": 5,
    "another app's": {"type": "chat.message", "text": "hello"},
    "no ids": {"origin": "x"},
    "no origin": {"task_ids": [TASK_ID]},
    "origin of another kind": {"origin": [], "task_ids": [TASK_ID]},
    "ids of another kind": {"origin": "x", "task_ids": 5},
    "text of ids": {"origin": "x", "task_ids": TASK_ID},
    "dict of ids": {"origin": "x", "task_ids": {TASK_ID: 1}},
    "ids that are none": {"origin": "x", "task_ids": [None, 5, [], {}, b"t1"]},
}


class Layer:
    """A layer that hands out what a test has put."""

    def __init__(self) -> None:
        self.channels = 0
        self.messages: asyncio.Queue[Any] = asyncio.Queue()

    async def new_channel(self, prefix: str) -> str:
        self.channels += 1
        return prefix

    async def group_add(self, group: str, channel: str) -> None:
        assert group == name_group(TASK_ID)

    async def group_discard(self, group: str, channel: str) -> None:
        pass

    async def receive(self, channel: str) -> Any:
        return await self.messages.get()


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
async def test_message_of_another_shape_is_skipped_and_the_next_is_heard(message, monkeypatch, caplog):
    layer, heard = Layer(), []
    monkeypatch.setattr(channel_layer, "has_layer", lambda: True)
    monkeypatch.setattr(channel_layer, "get_layer", lambda: layer)
    listener = LayerListener(heard.append)
    listener.add(TASK_ID)
    try:
        await until(lambda: heard == [[TASK_ID]], "the listener has joined")
        layer.messages.put_nowait(message)
        layer.messages.put_nowait({"origin": "elsewhere", "task_ids": [TASK_ID]})
        await until(lambda: len(heard) > 1, "the next message was heard")
        assert (heard, layer.channels) == ([[TASK_ID]] * 2, 1)
    finally:
        listener.stop()
    assert [record for record in caplog.records if record.levelno > logging.WARNING] == []
