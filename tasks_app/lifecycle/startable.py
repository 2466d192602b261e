"""The types of the tasks that `start` takes, for type checkers."""

from typing import Any, ParamSpec, Protocol

P = ParamSpec("P")


class _Enqueued(Protocol[P]):
    """A task of `django.tasks`, or of its backport."""

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...


class _Delayed(Protocol[P]):
    """A task of Celery, or a signature of one."""

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...


Startable = _Enqueued[P] | _Delayed[P]
