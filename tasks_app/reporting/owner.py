"""The owner of a task, as it is stored."""

from uuid import UUID


def identify_owner(owner: object) -> str | None:
    """Return the stored form of an owner: a user's primary key as text, or None.

    Raises:
        ValueError: `owner` is an unsaved user, such as an AnonymousUser, or of another type.
    """
    if owner is None:
        return None
    key = getattr(owner, "pk", owner if isinstance(owner, str | int | UUID) else None)
    if key is None:
        raise ValueError(f"owner must be None, a saved user or a primary key, not {owner!r}")
    return str(key)
