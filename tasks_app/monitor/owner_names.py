"""The user names of the owners of tasks."""

import logging
from collections.abc import Collection, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from ..snapshot import ANYONE, GONE
from ..users import find_user_model

logger = logging.getLogger("tasks_app")


async def afind_owner_names(owners: Collection[str]) -> dict[str, str]:
    """Return the user name of each owner, read with one query; an owner that is no user keeps its id.

    Args:
        owners: primary keys of users as text, or other ids that the site uses for owners.
    """
    named = {GONE: gettext("(deleted user)"), ANYONE: gettext("(visitor)")}
    names = {owner: named.get(owner, owner) for owner in owners}
    if owners and (model := find_user_model()) is not None:
        names |= await sync_to_async(_read_names)(model, owners)
    return names


def _read_names(model: Any, owners: Collection[str]) -> dict[str, str]:
    try:
        users = model._default_manager.filter(pk__in=list(_find_keys(model, owners)))
        return {str(user.pk): str(user.get_username()) for user in users}
    except Exception:
        logger.exception("the names of the owners of tasks could not be read; their ids are shown")
        return {}


def _find_keys(model: Any, owners: Collection[str]) -> Iterator[Any]:
    """Yield the owners that can be primary keys of users, as such keys."""
    for owner in owners:
        try:
            key = model._meta.pk.to_python(owner)
            model._meta.pk.run_validators(key)
        except ValidationError:
            continue
        yield key
