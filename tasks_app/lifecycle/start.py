"""Functions that start a task: in Python by the task itself, over HTTP by its name in STARTABLE."""

from collections.abc import Mapping, Sequence
from typing import Any, ParamSpec, overload

from asgiref.sync import sync_to_async

from .children import RUNNING, Link, choose_parent, link_to, linking
from .commits import choose_transactions, find_transactions
from .enqueue import starting
from .frameworks import Framework, commits_with, get_framework, make_promise
from .identity import Identity
from .names import resolve
from .promises import enqueue_at_commit
from .signatures import check_arguments
from .startable import Startable

P = ParamSpec("P")


# No parameter may stand between the two of a ParamSpec, so type checkers compare arguments with the task only in calls
# without an option.
@overload
def start(task: Startable[P], /, *args: P.args, **kwargs: P.kwargs) -> str: ...
@overload
def start(
    task: Startable[...],
    /,
    *args: Any,
    owner: object,
    label: object = None,
    parent: object = RUNNING,
    weight: float = 1,
    on_commit: bool | None = None,
    **kwargs: Any,
) -> str: ...
@overload
def start(
    task: Startable[...],
    /,
    *args: Any,
    label: object,
    parent: object = RUNNING,
    weight: float = 1,
    on_commit: bool | None = None,
    **kwargs: Any,
) -> str: ...
@overload
def start(
    task: Startable[...],
    /,
    *args: Any,
    parent: object,
    weight: float = 1,
    on_commit: bool | None = None,
    **kwargs: Any,
) -> str: ...
@overload
def start(task: Startable[...], /, *args: Any, weight: float, on_commit: bool | None = None, **kwargs: Any) -> str: ...
@overload
def start(task: Startable[...], /, *args: Any, on_commit: bool | None, **kwargs: Any) -> str: ...
def start(
    task: Any,
    /,
    *args: Any,
    owner: object = None,
    label: object = None,
    parent: object = RUNNING,
    weight: Any = 1,
    on_commit: Any = None,
    **kwargs: Any,
) -> str:
    """Enqueue a task with an owner and a label, and return its id once its first snapshot is stored.

    In a transaction, the task is enqueued and shown at the commit, and never after a rollback; its id is returned at
    once. A task that can't be enqueued then ends as failed. Tests in a transaction, such as those of `TestCase`, never
    commit: have them capture the hooks of the commit.

    Args:
        task: a task made by `@task`. With `tasks_app.contrib.celery` also a Celery task, or a signature, which carries
            options such as `queue` or `countdown`; a group, chord or chain is a parent of its parts.
        args, kwargs: the arguments of the task. One of them that is called `owner`, `label`, `parent`, `weight` or
            `on_commit` can only be passed by its position, or in a signature of Celery.
        owner: the user that may see and cancel the task, or the primary key of that user. With None it has the owner
            of the task that runs in this context; without one, the default policy shows it to staff alone, unless
            OWNERLESS says otherwise. With ALLOW_ANONYMOUS_START a visitor, that is an AnonymousUser, may be the owner:
            all who know the id then see it.
        label: what people call this task, such as "Import orders.csv", which tells it from others of its name;
            viewers see at most 200 characters. None for the name of the task.
        parent: the task of which it is a child: by default the one that runs in this context, if that has the same
            owner, None for none, or the id of one of this owner that has not ended, wherever it waits or runs. A
            parent shows its children's progress, ends with the last of them, and has them cancelled with it; who may
            see or cancel it may do so with each child.
        weight: how much of the parent's progress the child is, as a number above 0 in proportion to the others.
        on_commit: False enqueues the task at once. With None, tasks of `InProcessBackend` and of Celery wait for the
            commit of every transaction that is open in this thread. Other backends choose the id when they enqueue, so
            these enqueue at once; the row of the database backend commits with its transaction, and is shown from
            then on, and a backend that
            waits by itself (`ENQUEUE_ON_COMMIT` of Huey's) goes on to do so. True is an error where none of this
            keeps the task until the commit.

    Returns:
        The id of the task.

    Raises:
        TypeError: `task` is not a task; or its arguments can't be stored or, for a Celery task, do not fit its
            signature.
        ValueError: `owner` is neither a saved user, nor a primary key, nor None; or `on_commit` is none of these, or
            True for a backend that can't wait; or `weight` or `parent` can't be that, or the parent has another owner
            or MAX_CHILDREN.
        TaskNotFound, TaskAlreadyEnded: the task whose id is `parent` is unknown, or has ended.
        StoreUnavailable: the cache can't be reached. The in-process backend, the database backend and Celery then do
            not run the task; another backend may have taken it already.
        TaskIdTaken: a signature, or a part of a canvas, carries the id of a task that has not ended or has another
            owner.
        TaskQueueFull: the in-process queue is full.
        BrokerUnavailable: Celery's broker can't be reached.
        MemoryError, RuntimeError: the process has no memory, or can start no thread; the task will not run.
    """
    identity, link = _make_identity(owner, label, parent, weight)
    promised_id = _promise(task, args, kwargs, identity, link, on_commit=on_commit)
    return promised_id or _enqueue(task, args, kwargs, identity, link)


@overload
async def astart(task: Startable[P], /, *args: P.args, **kwargs: P.kwargs) -> str: ...
@overload
async def astart(
    task: Startable[...],
    /,
    *args: Any,
    owner: object,
    label: object = None,
    parent: object = RUNNING,
    weight: float = 1,
    on_commit: bool | None = None,
    **kwargs: Any,
) -> str: ...
@overload
async def astart(
    task: Startable[...],
    /,
    *args: Any,
    label: object,
    parent: object = RUNNING,
    weight: float = 1,
    on_commit: bool | None = None,
    **kwargs: Any,
) -> str: ...
@overload
async def astart(
    task: Startable[...],
    /,
    *args: Any,
    parent: object,
    weight: float = 1,
    on_commit: bool | None = None,
    **kwargs: Any,
) -> str: ...
@overload
async def astart(
    task: Startable[...], /, *args: Any, weight: float, on_commit: bool | None = None, **kwargs: Any
) -> str: ...
@overload
async def astart(task: Startable[...], /, *args: Any, on_commit: bool | None, **kwargs: Any) -> str: ...
async def astart(
    task: Any,
    /,
    *args: Any,
    owner: object = None,
    label: object = None,
    parent: object = RUNNING,
    weight: Any = 1,
    on_commit: Any = None,
    **kwargs: Any,
) -> str:
    """Do what `start` does, from async code.

    A transaction may be open in the thread that runs the sync code of this context, if that has called async code.
    """
    if isinstance(parent, str):  # which is read
        identity, link = await sync_to_async(_make_identity)(owner, label, parent, weight)
    else:
        identity, link = _make_identity(owner, label, parent, weight)
    promised_id = None
    if on_commit is not False:
        promised_id = await sync_to_async(_promise)(task, args, kwargs, identity, link, on_commit=on_commit)
    return promised_id or await _aenqueue(task, args, kwargs, identity, link)


async def astart_named(name: str, kwargs: Mapping[str, Any], *, owner: str | None) -> str:
    """Start the task that has this name in STARTABLE, and return its id.

    Args:
        name: a key of STARTABLE.
        kwargs: the arguments of the task, as JSON values.
        owner: the primary key of a user as text, or None.

    Raises:
        UnknownTask: `name` is not in STARTABLE.
        InvalidArguments: `kwargs` do not fit the signature of the task.
        Exception: any error of `start`.
    """
    task = resolve(name)
    check_arguments(task, kwargs)
    return await _aenqueue(task, (), kwargs, Identity(name, owner))


def _make_identity(owner: object, label: object, parent: object, weight: object) -> tuple[Identity, Link | None]:
    """Return what a task is given, and its link to its parent.

    Raises:
        ValueError, TaskNotFound, TaskAlreadyEnded: as for `start`.
    """
    identity = choose_parent(parent, Identity.make(owner, label))
    return identity, link_to(identity.parent, weight)


def _promise(
    task: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    identity: Identity,
    link: Link | None,
    *,
    on_commit: bool | None,
) -> str | None:
    """Return the id of a task that is enqueued at the commit, or None if it is to be enqueued now.

    Raises:
        ValueError: `on_commit` can't be that, or is True for a task that can't wait.
        Exception: the task can't be enqueued.
    """
    databases = choose_transactions(on_commit)
    if not databases and not on_commit:
        return None
    framework = get_framework(task)
    promise = make_promise(framework, task, args, kwargs)
    if promise is None:
        if on_commit and not commits_with(framework, task, databases):
            raise ValueError(f"on_commit=True: {_describe_executor(framework, task)} can't wait for a commit; {_CURE}")
        return None
    return enqueue_at_commit(framework, task, promise, databases, identity, link) if databases else None


_CURE = "pass False or None, and call start() in a hook of transaction.on_commit()"


def _describe_executor(framework: Framework, task: Any) -> str:
    if not hasattr(task, "get_backend"):
        return f"the framework {framework.name!r}"
    backend = type(task.get_backend())
    return f"the backend {f'{backend.__module__}.{backend.__qualname__}'!r}"


def _enqueue(
    task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], identity: Identity, link: Link | None = None
) -> str:
    framework = get_framework(task)
    # No worker sees the task before its owner is stored; if that fails, the task is not enqueued.
    databases = find_transactions() if link is not None and commits_with(framework, task, find_transactions()) else []
    with linking(link, databases) as tell, framework.hold_back(), starting(identity):
        tell(task_id := framework.enqueue(task, args, kwargs))
    return task_id


async def _aenqueue(
    task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], identity: Identity, link: Link | None = None
) -> str:
    framework = get_framework(task)
    if framework.is_threaded or link is not None:  # to link a child to its parent may block
        return await sync_to_async(_enqueue)(task, args, kwargs, identity, link)
    with starting(identity):
        return await framework.aenqueue(task, args, kwargs)
