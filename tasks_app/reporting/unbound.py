"""The stand-in for `progress` where there is no task: every call is harmless."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar

from .binding import Itself
from .handle import Handle
from .loops import Loop
from .progress import Progress

S = TypeVar("S")
R = TypeVar("R")


class NullProgress(Progress):
    """The target of `progress` outside a task: every call is a harmless no-op."""

    def __init__(self) -> None:
        self.task_id = ""

    def update(self, **values: Any) -> None:
        pass

    def advance(self, n: float = 1) -> None:
        pass

    def track(self, iterable: Any, **options: Any) -> Any:
        return iterable

    def map(
        self, executor: Executor, function: Callable[[S], R], items: Iterable[S], *, chunksize: int = 1, **options: Any
    ) -> Iterator[R]:
        return executor.map(function, items, chunksize=chunksize)

    def handle(self) -> Handle[Progress]:
        return Handle(NullHome())

    @contextmanager
    def capture(self, *, quiet: bool = False) -> Iterator[None]:
        yield

    def stages(self, weights: Mapping[str, float]) -> None:
        pass

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        yield

    def meta(self, **values: Any) -> None:
        pass

    def log(self, text: object, level: str = "info") -> None:
        pass

    @property
    def cancelled(self) -> bool:
        return False

    def raise_if_cancelled(self) -> None:
        pass


class Unbound(NullProgress):
    """The part that a handle opens where there is no task, or none any longer."""

    progress: Any = Itself()

    def __init__(self, task_id: str = "") -> None:
        self.task_id = task_id
        self.outer, self.opener = None, None

    def end(self) -> None:
        """Do nothing."""


class NullHome:
    """The home of a handle that was made outside a task."""

    task_id = ""

    def open(self, weight: float | None) -> Unbound:
        """Return a part that ignores all."""
        return Unbound()

    def hand_out(self) -> None:
        """Do nothing."""

    def inside(self, loop: Loop) -> "NullHome":
        """Return the same."""
        return self
