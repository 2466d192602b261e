"""A snapshot with its texts. Pure."""

from typing import NamedTuple, Self

from ..utils.json import encode_json
from .snapshot import Snapshot


class Version(NamedTuple):
    """A snapshot with its texts, encoded once: `wire` for viewers; `text` for the store, with the private fields."""

    snapshot: Snapshot
    wire: str
    text: str

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Encode a snapshot, and return it with its texts."""
        wire = encode_json(snapshot.to_wire())
        return cls(snapshot, wire, snapshot.to_json(wire))
