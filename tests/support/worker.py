"""A job in a process of its own: `python -m tests.support.worker`. It reads its steps from standard input, one a line.

Each line is a JSON object: what to `log`, what to `raise`, and what to pass to `progress.update()`; or
`{"await_cancel": true}`. At the end of input it succeeds. It prints its id.
"""

import json
import sys
import time

import django

django.setup()

from tasks_app import get_snapshot, task_run  # noqa: E402 - apps must be ready

with task_run("remote") as progress:
    get_snapshot(progress.task_id)  # now it is stored
    print(progress.task_id, flush=True)  # noqa: T201
    for line in sys.stdin:
        order = json.loads(line)
        if "log" in order:
            progress.log(order.pop("log"))
        if "raise" in order:
            raise RuntimeError(order["raise"])
        while order.get("await_cancel"):
            progress.raise_if_cancelled()
            time.sleep(0.01)
        progress.update(**order)
