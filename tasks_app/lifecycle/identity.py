"""The name, the owner, the label and the parent of a task, which it keeps in every attempt and wherever it waits."""

from typing import NamedTuple, Self

from ..conf import get_settings
from ..reporting import get_bound
from ..snapshot import ANYONE, make_label
from ..users import identify_owner


class Identity(NamedTuple):
    """The name, the owner, the label and the parent of a task, as they are stored.

    Attributes:
        name: None for the name that the framework gives it.
        owner: None for a task without owner.
        label: None for a task without label.
        parent: the id of the task that it is a child of, or None.
    """

    name: str | None = None
    owner: str | None = None
    label: str | None = None
    parent: str | None = None

    @classmethod
    def make(cls, owner: object, label: object) -> Self:
        """Return the identity that a caller's `owner` and `label` give a task.

        Raises:
            ValueError: `owner` can't be one.
        """
        return cls(None, _find_owner(owner), make_label(label))


def inherit_owner() -> str | None:
    """Return the owner of the task that runs in this context, which those that it enqueues have as well, or None."""
    bound = get_bound()
    return None if bound is None else bound.snapshot.owner


def _find_owner(owner: object) -> str | None:
    if owner is None:
        return inherit_owner()
    if getattr(owner, "is_anonymous", False) is not True:
        return identify_owner(owner)
    if not get_settings().ALLOW_ANONYMOUS_START:
        raise ValueError(
            f"owner must be a user who is logged in, not {owner!r}: ask for a login in the view (@login_required), or "
            "let visitors start tasks (ALLOW_ANONYMOUS_START)"
        )
    return ANYONE
