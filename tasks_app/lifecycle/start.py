"""Functions that start a task: in Python by the task itself, over HTTP by its name in STARTABLE."""

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ParamSpec, overload

from asgiref.sync import sync_to_async
from django.utils.module_loading import import_string

from ..conf import get_settings
from ..exceptions import InvalidArguments, UnknownTask, describe
from ..utils.lazy import per_process
from .commits import find_transactions
from .enqueue import starting
from .frameworks import Framework, commits_with, get_framework, make_promise
from .identity import Identity
from .promises import enqueue_at_commit
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
    on_commit: bool | None = None,
    **kwargs: Any,
) -> str: ...
@overload
def start(task: Startable[...], /, *args: Any, label: object, on_commit: bool | None = None, **kwargs: Any) -> str: ...
@overload
def start(task: Startable[...], /, *args: Any, on_commit: bool | None, **kwargs: Any) -> str: ...
def start(
    task: Any, /, *args: Any, owner: object = None, label: object = None, on_commit: Any = None, **kwargs: Any
) -> str:
    """Enqueue a task with an owner and a label, and return its id once its first snapshot is stored.

    In a transaction, the task is enqueued and shown at the commit, and never after a rollback; its id is returned at
    once. A task that can't be enqueued then ends as failed. Tests in a transaction, such as those of `TestCase`, never
    commit: have them capture the hooks of the commit.

    Args:
        task: a task made by `@task`. With `tasks_app.contrib.celery` also a Celery task, or a signature of one, which
            carries options such as `queue` or `countdown`.
        args, kwargs: the arguments of the task. One of them that is called `owner`, `label` or `on_commit` can only
            be passed by its position, or in a signature of Celery.
        owner: the user that may see and cancel the task, or the primary key of that user. With None it has the owner
            of the task that runs in this context; without one, the default policy shows it to staff alone, unless
            OWNERLESS says otherwise. With ALLOW_ANONYMOUS_START a visitor, that is an AnonymousUser, may be the owner:
            all who know the id then see it.
        label: what people call this task, such as "Import orders.csv", which tells it from others of its name;
            viewers see at most 200 characters. None for the name of the task.
        on_commit: False enqueues the task at once. With None, tasks of `InProcessBackend` and of Celery wait for the
            commit of every transaction that is open in this thread. Other backends choose the id when they enqueue, so
            these enqueue at once; the row of the database backend commits with its transaction, and a backend that
            waits by itself (`ENQUEUE_ON_COMMIT` of Huey's) goes on to do so. True is an error where none of this
            keeps the task until the commit.

    Returns:
        The id of the task.

    Raises:
        TypeError: `task` is not a task.
        ValueError: `owner` is neither a saved user, nor a primary key, nor None; or `on_commit` is none of these, or
            True for a backend that can't wait.
        StoreUnavailable: the cache can't be reached. The in-process backend, the database backend and Celery then do
            not run the task; another backend may have taken it already.
        TaskIdTaken: a signature carries the id of a task that has another owner.
        TaskQueueFull: the in-process queue is full.
        BrokerUnavailable: Celery's broker can't be reached.
        MemoryError, RuntimeError: the process has no memory, or can start no thread; the task will not run.
    """
    identity = Identity.make(owner, label)
    promised_id = _promise(task, args, kwargs, identity, on_commit=on_commit)
    return promised_id or _enqueue(task, args, kwargs, identity)


@overload
async def astart(task: Startable[P], /, *args: P.args, **kwargs: P.kwargs) -> str: ...
@overload
async def astart(
    task: Startable[...],
    /,
    *args: Any,
    owner: object,
    label: object = None,
    on_commit: bool | None = None,
    **kwargs: Any,
) -> str: ...
@overload
async def astart(
    task: Startable[...], /, *args: Any, label: object, on_commit: bool | None = None, **kwargs: Any
) -> str: ...
@overload
async def astart(task: Startable[...], /, *args: Any, on_commit: bool | None, **kwargs: Any) -> str: ...
async def astart(
    task: Any, /, *args: Any, owner: object = None, label: object = None, on_commit: Any = None, **kwargs: Any
) -> str:
    """Do what `start` does, from async code.

    A transaction may be open in the thread that runs the sync code of this context, if that has called async code.
    """
    identity = Identity.make(owner, label)
    promised_id = None
    if on_commit is not False:
        promised_id = await sync_to_async(_promise)(task, args, kwargs, identity, on_commit=on_commit)
    return promised_id or await _aenqueue(task, args, kwargs, identity)


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


def resolve(name: str) -> Any:
    """Return the task that has this name in STARTABLE.

    Raises:
        UnknownTask: `name` is not in STARTABLE.
        ImportError: its dotted path can't be imported; a system check reports that.
        TypeError: its dotted path is not that of a task; a system check reports that.
    """
    startable = get_settings().STARTABLE
    if name not in startable:
        raise UnknownTask(name)
    return _import_task(startable[name])


def check_arguments(task: Any, kwargs: Mapping[str, Any]) -> None:
    """Check that JSON values fit the parameters of a task, by name and, for plain annotations, by type.

    Raises:
        InvalidArguments: an argument is missing, unexpected or of the wrong type; the message names it.
    """
    parameters, takes_context = _get_parameters(task)
    takes_any = any(item.kind is item.VAR_KEYWORD for item in parameters.values())
    named = {
        name: item for name, item in parameters.items() if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
    }
    # Never arguments of a task: `enqueue(self=…)` is a TypeError even if the task takes any `**kwargs`.
    reserved = ("self", "context") if takes_context else ("self",)
    for name, value in kwargs.items():
        if name in reserved or not (takes_any or name in named):
            raise InvalidArguments(f"unexpected argument {describe(name)}; allowed: {sorted(named)!r}")
        if name in named:
            _check_type(name, value, named[name].annotation)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for name, item in parameters.items():
        if item.default is item.empty and item.kind not in variadic and name not in kwargs:
            raise InvalidArguments(f"missing argument {name!r}")


def _promise(
    task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], identity: Identity, *, on_commit: bool | None
) -> str | None:
    """Return the id of a task that is enqueued at the commit, or None if it is to be enqueued now.

    Raises:
        ValueError: `on_commit` can't be that, or is True for a task that can't wait.
        Exception: the task can't be enqueued.
    """
    if on_commit is not None and not isinstance(on_commit, bool):
        raise ValueError(f"on_commit must be True, False or None, not {on_commit!r}")
    databases = [] if on_commit is False else find_transactions()
    if not databases and not on_commit:
        return None
    framework = get_framework(task)
    promise = make_promise(framework, task, args, kwargs)
    if promise is None:
        if on_commit and not commits_with(framework, task, databases):
            raise ValueError(f"on_commit=True: {_describe_executor(framework, task)} can't wait for a commit; {_CURE}")
        return None
    return enqueue_at_commit(framework, task, promise, databases, identity) if databases else None


_CURE = "pass False or None, and call start() in a hook of transaction.on_commit()"


def _describe_executor(framework: Framework, task: Any) -> str:
    if not hasattr(task, "get_backend"):
        return f"the framework {framework.name!r}"
    backend = type(task.get_backend())
    return f"the backend {f'{backend.__module__}.{backend.__qualname__}'!r}"


def _enqueue(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], identity: Identity) -> str:
    framework = get_framework(task)
    # No worker sees the task before its owner is stored; if that fails, the task is not enqueued.
    with framework.hold_back(), starting(identity):
        return framework.enqueue(task, args, kwargs)


async def _aenqueue(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], identity: Identity) -> str:
    framework = get_framework(task)
    if framework.is_threaded:
        return await sync_to_async(_enqueue)(task, args, kwargs, identity)
    with starting(identity):
        return await framework.aenqueue(task, args, kwargs)


def _import_task(path: str) -> Any:
    imported = _get_imported()
    if path not in imported:
        task = import_string(path)
        get_framework(task).unwrap(task)
        imported[path] = task
    return imported[path]


@per_process("TASKS_APP", "TASKS")
def _get_imported() -> dict[str, Any]:
    return {}


def _get_parameters(task: Any) -> tuple[dict[str, inspect.Parameter], bool]:
    return _read_parameters(*get_framework(task).unwrap(task))


@lru_cache(1000)
def _read_parameters(function: Any, takes_context: bool) -> tuple[dict[str, inspect.Parameter], bool]:
    parameters = dict(inspect.signature(function).parameters)
    if takes_context:
        del parameters[next(iter(parameters))]
    namespace = getattr(inspect.unwrap(function), "__globals__", {})
    named = {name: item.replace(annotation=_evaluate(item.annotation, namespace)) for name, item in parameters.items()}
    return named, takes_context


def _evaluate(annotation: Any, namespace: dict[str, Any]) -> Any:
    """Return an annotation's type; empty, so that nothing is checked, if it is none that can be evaluated."""
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, namespace)["it"]
    except Exception:  # an annotation may be any text: prose, or a name that is imported only for type checkers
        return inspect.Parameter.empty


#: The types that a JSON value may have, by the annotation of its parameter; other annotations are not checked.
_JSON_TYPES: Mapping[Any, tuple[type, ...]] = {
    int: (int,),
    float: (int, float),
    str: (str,),
    bool: (bool,),
    list: (list,),
    dict: (dict,),
    types.NoneType: (types.NoneType,),
}


def _check_type(name: str, value: object, annotation: Any) -> None:
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    choices = [typing.get_origin(item) or item for item in (typing.get_args(annotation) if is_union else [annotation])]
    if not all(choice in _JSON_TYPES for choice in choices):
        return
    # `isinstance` would take a bool for an int; JSON does not.
    allowed = {kind for choice in choices for kind in _JSON_TYPES[choice]}
    if type(value) not in allowed:
        wanted = " or ".join(sorted("null" if item is types.NoneType else item.__name__ for item in choices))
        raise InvalidArguments(f"argument {name!r} must be {wanted}, not {describe(value)}")
