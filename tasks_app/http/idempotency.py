"""The `Idempotency-Key` header: a request repeated within 24 hours gets the answer of the first."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest

from ..exceptions import StoreUnavailable
from ..store import get_store, make_claim_key
from ..users import get_user_key
from ..utils.json import decode_json, encode_json
from .params import parse_idempotency_key
from .problems import Problem, store_access
from .shares import keep_claim

logger = logging.getLogger("tasks_app")

#: Seconds for which a repeated request with the same key gets the same answer.
IDEMPOTENCY_TTL = 24 * 3600

#: Seconds for which a start that has not finished refuses other requests with its key.
CLAIM_TTL = 60

Answer = dict[str, Any]

#: What the answer to a start has at least.
_ANSWER = {"task_id", "status_url"}

#: Starts that continue even if their clients have left; an event loop itself holds only weak references to these.
_unfinished: set[asyncio.Task[Answer]] = set()


async def answer_once(
    request: HttpRequest, body: bytes, client: str, start: Callable[[], Coroutine[Any, Any, Answer]]
) -> tuple[Answer, bool]:
    """Return the answer of `start()`, or its earlier answer to the same caller, key and body.

    Callers who are not logged in share their keys: one may come back from another address.

    Args:
        client: the name of the client that the request counts for.

    Returns:
        The answer, and whether this client was given it first.

    Raises:
        Problem: the key is malformed or was used with another body, its first request has not finished, or the
            cache failed.
        Exception: raised by `start`.
    """
    if (key := parse_idempotency_key(request)) is None:
        return await _finish(start()), True
    claim = encode_json([get_user_key(request), key])
    record = {"body": _hash(body), "client": _hash(client.encode("utf-8", "surrogatepass"))}
    with store_access():
        held = await get_store().arun(claim_or_read, claim, encode_json(record))
    if held is not None:
        return _recall(held, record), held.get("client") == record["client"]
    return await _finish(_start_and_record(start, claim, record)), True


def claim_key(name: str, text: str) -> str | None:
    """Claim an idempotency key by storing `text` under it.

    Returns:
        None, or the text already stored under the key.

    Raises:
        StoreUnavailable: the cache did not store the text, without raising.
    """
    cache, key = get_store().cache, make_claim_key(name)
    for _ in range(2):  # the key may be released or expire in between
        if cache.add(key, text, CLAIM_TTL):
            return None
        held: str | None = cache.get(key)
        if held is not None:
            return held
    raise StoreUnavailable("the cache did not store the claim of an idempotency key")


def claim_or_read(name: str, text: str) -> Mapping[str, Any] | None:
    """Do what `claim_key` does, but read what is stored; what no start has stored there is replaced."""
    for _ in range(2):
        if (held := claim_key(name, text)) is None:
            return None
        if (record := _read(held)) is not None:
            return record
        logger.error("what is stored of an Idempotency-Key can't be decoded; it is replaced")
        release_key(name)
    raise StoreUnavailable("the cache did not store the claim of an idempotency key")


def fulfil_key(name: str, text: str) -> None:
    """Replace the text under a claimed idempotency key, for IDEMPOTENCY_TTL seconds."""
    get_store().cache.set(make_claim_key(name), text, IDEMPOTENCY_TTL)


def release_key(name: str) -> None:
    """Release a claimed idempotency key."""
    get_store().cache.delete(make_claim_key(name))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(text: object) -> Mapping[str, Any] | None:
    """Return what a start has stored under its key, or None."""
    try:
        record = decode_json(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("body"), str):
        return None
    answer = record.get("answer", dict.fromkeys(_ANSWER, ""))
    is_answer = isinstance(answer, dict) and answer.keys() >= _ANSWER and all(map(_is_text, answer.values()))
    return record if is_answer else None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


async def _finish(start: Coroutine[Any, Any, Answer]) -> Answer:
    """Return the answer of a start that a client which leaves now must not interrupt.

    The task would exist without being counted for its client, or recorded under its key.
    """
    work = asyncio.ensure_future(start)
    _unfinished.add(work)
    work.add_done_callback(_unfinished.discard)
    return await asyncio.shield(work)


async def _start_and_record(
    start: Callable[[], Coroutine[Any, Any, Answer]], claim: str, record: dict[str, Any]
) -> Answer:
    try:
        answer = await start()
    except Exception:
        with store_access():
            await get_store().arun(release_key, claim)
        raise
    keep_claim(answer["task_id"], claim)
    try:
        await get_store().arun(fulfil_key, claim, encode_json(record | {"answer": answer}))
    except Exception:
        # The task was started: after an error, the client would start it a second time.
        logger.exception(
            "task %s: its Idempotency-Key could not be stored", answer["task_id"], extra={"task_id": answer["task_id"]}
        )
    return answer


def _recall(held: Mapping[str, Any], record: Mapping[str, Any]) -> Answer:
    if held["body"] != record["body"]:
        raise Problem(HTTPStatus.CONFLICT, "This Idempotency-Key was used with another body.")
    if "answer" not in held:
        raise Problem(
            HTTPStatus.CONFLICT, "The first request with this Idempotency-Key has not finished.", Retry_After="1"
        )
    answer: Answer = held["answer"]
    return answer
