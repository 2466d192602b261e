"""The viewers of tasks, and the frames that each is sent."""

from .buffers import get_buffers
from .frames import CONTENT_TYPE, END_ID, View, encode_refused
from .hub import count_streams, get_hub
from .log_places import has_told_all
from .log_tail import LogTail
from .outlet import Framed, Message, Outlet, Send
from .places import Place, get_places
from .polling import aobserve, aobserve_children, aobserve_many, observe, observe_texts
from .probe import Probe
from .response import STREAM_HEADERS, EventStreamResponse
from .shutdown import end_all_streams
from .stream import CHUNK_BYTES, Stream

__all__ = [
    "CHUNK_BYTES",
    "CONTENT_TYPE",
    "END_ID",
    "STREAM_HEADERS",
    "EventStreamResponse",
    "Framed",
    "LogTail",
    "Message",
    "Outlet",
    "Place",
    "Probe",
    "Send",
    "Stream",
    "View",
    "aobserve",
    "aobserve_children",
    "aobserve_many",
    "count_streams",
    "encode_refused",
    "end_all_streams",
    "get_buffers",
    "get_hub",
    "get_places",
    "has_told_all",
    "observe",
    "observe_texts",
]
