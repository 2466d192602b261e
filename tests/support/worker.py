"""A job in a process of its own: `python -m tests.support.worker`. It reads its steps from standard input, one a line.

Each line is a JSON object: what to `log`, and what to pass to `progress.update()`. At the end of input it succeeds. It
prints its id.
"""

import json
import sys

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
        progress.update(**order)
