"""Wake-ups, which tell the hubs of this and other processes which tasks have changed."""

from .channel_layer import LayerListener, drain, get_layer, has_layer, start
from .local import Listener, ignore, listen
from .transports import publish

__all__ = [
    "LayerListener",
    "Listener",
    "drain",
    "get_layer",
    "has_layer",
    "ignore",
    "listen",
    "publish",
    "start",
]
