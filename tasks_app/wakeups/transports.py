"""The sending of wake-ups by each transport; a hub receives them by a `LayerListener`."""

from collections.abc import Mapping

from ..snapshot import Version
from . import channel_layer, local


def publish(versions: Mapping[str, Version]) -> None:
    """Give stored versions to the listeners of this process, and tell other processes to read them.

    A lost message to another process costs only latency, because hubs sweep.
    """
    local.notify(versions)
    channel_layer.send(versions.keys())
