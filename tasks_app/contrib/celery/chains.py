"""The chains that are no part of another canvas: each parent stays open until the first message is sent."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ...integration import Gathering, Snapshot
from .parts import open_chain


@contextmanager
def sending_chain() -> Iterator[None]:
    """Have the parent of a chain that is sent in this block say so if that fails."""
    opened: dict[str, Gathering] = {}
    token = _opened.set(opened)
    try:
        yield
    except BaseException:
        for chain in opened.values():
            chain.give_up(cancels=False)
        raise
    finally:
        _opened.reset(token)
    for chain in opened.values():
        chain.close()


def start_chain(
    first: str,
    begun: Sequence[Any],
    steps: Sequence[Any],
    taken: Gathering | None,
    above: Gathering | None,
    tasks: Sequence[Snapshot] = (),
) -> Gathering:
    """Do what `open_chain` does, and close the parent, unless it was `taken` or waits for its first message."""
    chain = open_chain(first, begun, steps, taken, above, tasks)
    if taken is None:
        if above is None and (opened := _opened.get()) is not None:
            opened[first] = chain
        else:
            chain.close()
    return chain


def close_chain(first: str) -> None:
    """Close the parent of a chain, if its first message is this one, now that it is sent."""
    if (chain := (_opened.get() or {}).pop(first, None)) is not None:
        chain.close()


#: The open parents, by what their first messages send.
_opened: ContextVar[dict[str, Gathering] | None] = ContextVar("tasks_app_opened_chains", default=None)
