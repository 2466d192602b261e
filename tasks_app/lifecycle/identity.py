"""What `start()` gives a task, which keeps it in every attempt and wherever it waits."""

from typing import NamedTuple, Self

from ..snapshot import make_label
from ..users import identify_owner


class Identity(NamedTuple):
    """The name, the owner and the label of a task, as they are stored.

    Attributes:
        name: None for the name that the framework gives it.
        owner: None for a task without owner.
        label: None for a task without label.
    """

    name: str | None = None
    owner: str | None = None
    label: str | None = None

    @classmethod
    def make(cls, owner: object, label: object) -> Self:
        """Return the identity that a caller's `owner` and `label` give a task.

        Raises:
            ValueError: `owner` can't be one.
        """
        return cls(None, identify_owner(owner), make_label(label))
