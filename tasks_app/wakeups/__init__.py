"""Wake-ups, which tell the hubs of this and other processes which tasks have changed."""

from .channel_layer import LayerListener, drain, get_layer, has_layer, start
from .layer_backend import ADVISED, LayerFlaw, find_layer_flaw, is_in_memory
from .local import Listener, ignore, listen
from .transports import publish

__all__ = [
    "ADVISED",
    "LayerFlaw",
    "LayerListener",
    "Listener",
    "drain",
    "find_layer_flaw",
    "get_layer",
    "has_layer",
    "ignore",
    "is_in_memory",
    "listen",
    "publish",
    "start",
]
