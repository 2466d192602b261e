"""The program of the other process, which follows orders, each a line of JSON, and replies with such lines."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..store import get_store
from ..wakeups import get_layer

Reply = Callable[[Mapping[str, Any]], None]


def main(replies: int) -> None:
    """Follow the orders of standard input until it ends, and write the replies to this descriptor."""
    reply = partial(_write, replies)
    reply({"ready": os.getpid()})
    for line in sys.stdin:
        try:
            _follow(json.loads(line), reply)
        except Exception as error:  # whatever a cache or a layer raises is what is asked for
            reply({"error": f"{type(error).__name__}: {error}"})


def _write(replies: int, content: Mapping[str, Any]) -> None:
    os.write(replies, json.dumps(content).encode() + b"\n")


def _follow(order: Mapping[str, Any], reply: Reply) -> None:
    match order:
        case {"order": "read", "keys": keys}:
            reply({"values": get_store().cache.get_many(keys)})
        case {"order": "listen", "group": group, "count": count, "seconds": seconds}:
            asyncio.run(_listen(group, count, seconds, reply))
        case _:
            raise ValueError(f"unknown order: {order!r}")


async def _listen(group: str, count: int, seconds: float, reply: Reply) -> None:
    """Reply to each of the next messages of a group, or with None if none comes for `seconds`."""
    layer = get_layer()
    channel = await layer.new_channel("tasks_app_doctor")
    await layer.group_add(group, channel)
    reply({"listening": group})
    try:
        async with asyncio.timeout(seconds) as limit:
            for _ in range(count):
                limit.reschedule(asyncio.get_running_loop().time() + seconds)
                reply({"heard": (await layer.receive(channel)).get("number")})
    except TimeoutError:
        reply({"heard": None})
    finally:
        await layer.group_discard(group, channel)
