"""The class of the channel layer, which may be missing: what does not import it, and what mends that."""

from importlib.util import find_spec
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from ..conf import get_settings

#: What Django Channels has for production.
ADVISED = "channels_redis.pubsub.RedisPubSubChannelLayer"

#: Packages that a layer may need, which are called as what they have Python import.
PACKAGES = {"channels", "channels_redis", "msgpack", "redis"}

#: The layer that connects no processes.
IN_MEMORY = "channels.layers.InMemoryChannelLayer"


class LayerFlaw(NamedTuple):
    """A reason why the layer of TASKS_APP can't be made.

    Attributes:
        what: a sentence without a full stop.
        cure: what mends it.
    """

    what: str
    cure: str


def find_layer_flaw() -> LayerFlaw | None:
    """Return why the layer of TASKS_APP can't be made; None if it can be, or is not configured."""
    alias = get_settings().CHANNEL_LAYER
    layers = getattr(django_settings, "CHANNEL_LAYERS", {})
    if alias not in layers:
        return None
    path = layers[alias].get("BACKEND")
    try:
        import_string(str(path))
    except Exception as error:  # importing a module runs its code, which may raise anything
        what = f"CHANNEL_LAYERS[{alias!r}]['BACKEND'] is {path!r}, which can't be imported: {error}"
        return LayerFlaw(what.rstrip("."), _find_cure(error))
    if find_spec("channels") is None:
        what = f"CHANNEL_LAYERS[{alias!r}] is set, but Django Channels is not installed, so nothing uses it"
        return LayerFlaw(what, _install("channels"))
    return None


def is_in_memory() -> bool:
    """Whether the layer of TASKS_APP is the one in the memory of each process."""
    layers: dict[str, Any] = getattr(django_settings, "CHANNEL_LAYERS", {})
    return bool(layers.get(get_settings().CHANNEL_LAYER, {}).get("BACKEND") == IN_MEMORY)


def _find_cure(error: Exception) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing in PACKAGES:
        return _install(missing)
    return f"Give the dotted path of a layer's class, such as {ADVISED!r}, and install the package that has it."


def _install(package: str) -> str:
    return f"Run 'pip install {package}'."
