"""Tasks that are sent to a worker, without tasks_app or with it, as the settings say."""

import time

import django

django.setup()

from django.conf import settings  # noqa: E402 - apps must be ready before tasks are imported
from redis import Redis  # noqa: E402

from benchmarks.celery_site.naps import nap  # noqa: E402
from benchmarks.turns import take_turns  # noqa: E402

#: Seconds between two looks at the queue.
PAUSE = 0.005

#: Ends that are read at once.
BATCH = 100


def run(count: int) -> None:
    """Send the tasks, and wait until no worker has any, and the ends of all are stored."""
    task_ids = [nap.delay().id for _ in range(count)]
    with Redis.from_url(settings.VALKEY_URL) as client:
        while client.llen(settings.CELERY_TASK_DEFAULT_QUEUE) or client.hlen("unacked"):
            time.sleep(PAUSE)
    if "tasks_app" in settings.INSTALLED_APPS:
        wait_for_ends(task_ids)


def wait_for_ends(task_ids: list[str]) -> None:
    """Wait until the store has the end of each task; the latest are read first, since hardly any ends after them."""
    from tasks_app.store import decode, get_store  # what is measured without tasks_app must not load it

    while task_ids:
        texts = get_store().read(latest := task_ids[-BATCH:])
        waiting = [item for item in latest if not decode(item, texts[item]).is_terminal]
        task_ids[-BATCH:] = waiting
        if waiting:
            time.sleep(PAUSE)


if __name__ == "__main__":
    take_turns({"celery": run})
