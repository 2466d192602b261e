"""Tasks as README shows them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, Protocol

from django.tasks import TaskContext, task

from tasks_app import progress

P = ParamSpec("P")


@task
def import_rows(path: str, limit: int = 0) -> dict[str, int]:
    rows = list(range(int(path)))[:limit]
    for row in progress.track(rows, status="Importing", unit="rows"):
        row.bit_length()
    return {"imported": len(rows)}


@task
async def download(urls: list[str], *, retries: int) -> None:
    for url in progress.track(urls):
        url.strip()


@task(takes_context=True)
def report(context: "TaskContext[[int], int]", year: int) -> int:
    return year + context.attempt


def measure(name: str) -> int:
    progress.advance()
    return len(name)


@task
def sizes(names: list[str]) -> int:
    with ThreadPoolExecutor() as pool:
        total: int = sum(progress.map(pool, measure, names, unit="names"))
        bound = progress.handle().bind(measure)
        total += pool.submit(bound, "name").result()
    with progress.handle() as part:
        part.update(current=total)
    return total


def train(epochs: int) -> None:
    with progress.capture():
        import_rows.call("5")
    with progress.capture(quiet=True):
        import_rows.call(str(epochs))


def train_wrongly() -> None:
    progress.capture(True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    progress.capture(quiet=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class CeleryTask(Protocol[P]):
    """What the stubs of Celery, celery-types, know of a task and of a signature."""

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> object: ...
    def s(self, *args: object, **kwargs: object) -> "CeleryTask[...]": ...


def shared_task(function: Callable[P, object]) -> CeleryTask[P]:
    raise NotImplementedError(function)


@shared_task
def resize(picture: str, width: int = 100) -> None:
    progress.update(status=f"{picture} {width}")
