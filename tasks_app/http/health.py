"""The health of this process, for load balancers: whether its cache keeps what it is given."""

import asyncio
import logging
import math
import threading
import time
from concurrent.futures import Future
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from ..store import get_store
from ..streaming import Probe
from ..utils.lazy import per_process
from .endpoint import endpoint
from .problems import keep_out_of_log, say_rarely

logger = logging.getLogger("tasks_app")

#: The least seconds between two questions to the cache, and the most that one who asks waits for its answer.
INTERVAL, PATIENCE = 1.0, 0.5

#: The seconds by which what the cache answers may be old, and after which a question counts as lost.
MAX_AGE = 10.0

#: The most questions that may be lost at a time, since a cache without time limits holds the thread of each for ever.
MAX_LOST = 3


class Health:
    """The health of the cache, which is asked once at a time and once a second, however many ask this."""

    def __init__(self) -> None:
        self._probe = Probe()
        self._lock = threading.Lock()
        self._asked: Future[bool] | None = None
        self._lost: list[Future[bool]] = []
        self._asked_at = -math.inf

    async def is_good(self) -> bool:
        """Return whether the cache works; no answer within PATIENCE seconds is a no."""
        answer = asyncio.wrap_future(self._ask())
        done, _ = await asyncio.wait([answer], timeout=PATIENCE)  # which cancels nothing: others wait for the same
        return bool(done) and answer.result()

    def _ask(self) -> "Future[bool]":
        with self._lock:
            now = time.monotonic()
            if self._asked is None or self._is_due(self._asked, now - self._asked_at):
                self._asked_at = now
                self._asked = get_store().submit(self._prove, now)
            return self._asked

    def _is_due(self, asked: "Future[bool]", age: float) -> bool:
        """Return whether the cache is to be asked once more; a question that is lost is noted."""
        if asked.done():
            return age >= INTERVAL
        self._lost = [question for question in self._lost if not question.done()]
        if age < MAX_AGE or len(self._lost) >= MAX_LOST:
            return False
        self._lost.append(asked)
        return True

    def _prove(self, monotonic: float) -> bool:
        try:
            return self._probe.prove(monotonic=monotonic, max_age=MAX_AGE)
        except Exception as error:  # whatever a cache backend raises
            say_rarely("health", f"this process is not healthy (said once a minute): {type(error).__name__}: {error}")
            return False


@per_process("CACHES", "TASKS_APP")
def get_health() -> Health:
    """Return the health of this process."""
    return Health()


@endpoint("GET", "HEAD", needs_user=False)
async def show_health(request: HttpRequest) -> HttpResponse:
    """Answer "ok", or "not ok" with 503, to everybody."""
    is_good = await get_health().is_good()
    response = HttpResponse(
        "ok\n" if is_good else "not ok\n",
        status=HTTPStatus.OK if is_good else HTTPStatus.SERVICE_UNAVAILABLE,
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )
    keep_out_of_log(response)
    return response
