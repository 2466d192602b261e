"""Notes in the cache of who listens to which groups of tasks: a wake-up that nobody hears costs more than to look."""

from collections.abc import Collection, Iterable

from ..store import get_store, make_listening_key

#: Seconds for which a note holds, and after which a process that still listens renews it.
KEPT_SECONDS, RENEW_AFTER = 60, 20.0


async def note_interest(groups: Iterable[str]) -> None:
    """Note that this process listens to these groups; what it reads after that is no older than what it hears of."""
    if notes := dict.fromkeys(map(make_listening_key, groups), 1):
        await get_store().arun(get_store().cache.set_many, notes, KEPT_SECONDS)


def find_interest(groups: Collection[str]) -> set[str]:
    """Return those of these groups that any process listens to; ask after what they are to hear of is stored."""
    keys = {make_listening_key(group): group for group in groups}
    return {keys[key] for key in get_store().cache.get_many(keys)} if keys else set()
