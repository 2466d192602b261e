"""The `Idempotency-Key` header: a repeat of a request within 24 hours gets the answer of the first."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest

from ..permissions import get_user_key
from ..store import get_store
from ..utils.json import encode_json
from .params import parse_idempotency_key
from .problems import Problem, store_access

logger = logging.getLogger("tasks_app")

Answer = dict[str, Any]

#: What goes on although its client may have left; event loops hold their tasks only weakly.
_unfinished: set[asyncio.Task[Answer]] = set()


async def answer_once(request: HttpRequest, body: bytes, start: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return what `start()` answers, or has answered to the same caller, key and body before.

    Raises:
        Problem: the key was used with another body, or the first request with it is not done; or what `start` raised.
    """
    if (key := parse_idempotency_key(request)) is None:
        return await start()
    claim = encode_json([get_user_key(request), key])
    record = {"body": hashlib.sha256(body).hexdigest()}
    with store_access():
        held = await get_store().aclaim(claim, encode_json(record))
    if held is not None:
        return _recall(json.loads(held), record)
    # A client that leaves now must not leave a task behind of which its key knows nothing.
    work = asyncio.ensure_future(_start_and_record(start, claim, record))
    _unfinished.add(work)
    work.add_done_callback(_unfinished.discard)
    return await asyncio.shield(work)


async def _start_and_record(start: Callable[[], Awaitable[Answer]], claim: str, record: dict[str, Any]) -> Answer:
    try:
        answer = await start()
    except Exception:
        with store_access():
            await get_store().arelease(claim)
        raise
    try:
        await get_store().afulfil(claim, encode_json(record | {"answer": answer}))
    except Exception:
        # The task is on its way: to say otherwise would start it a second time.
        logger.exception("task %s: its Idempotency-Key could not be recorded", answer["task_id"])
    return answer


def _recall(held: Mapping[str, Any], record: Mapping[str, Any]) -> Answer:
    if held["body"] != record["body"]:
        raise Problem(HTTPStatus.CONFLICT, "This Idempotency-Key was used with another body.")
    if "answer" not in held:
        raise Problem(HTTPStatus.CONFLICT, "The first request with this Idempotency-Key is not done.", Retry_After="1")
    answer: Answer = held["answer"]
    return answer
