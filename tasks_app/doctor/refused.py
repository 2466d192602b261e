"""The refusal of a stream, and what it tells. Pure."""

from collections.abc import Mapping

from .finding import Finding, Level

OTHER_SETTINGS = Finding(
    id="site-other-settings",
    level=Level.ERROR,
    what="{url} does not find a task that was just stored, or does not take its token: the processes there have "
    "another cache (server, database number, KEY_PREFIX, VERSION) or another SECRET_KEY than this command.",
    cure="Give all processes of the site the same settings, workers and commands included.",
)
WSGI = Finding(
    id="site-wsgi",
    level=Level.ERROR,
    what="{url} runs under WSGI, where no stream can be sent: bars move by polling alone.",
    cure="Serve the site by an ASGI server: 'daphne mysite.asgi:application', or uvicorn.",
)
HIDDEN = Finding(
    id="site-hides-task",
    level=Level.UNKNOWN,
    what="{url} does not show the task that was named: it is unknown there, or the token does not open it.",
    cure="Name a task that runs. If the site has another SECRET_KEY than this command, add --token.",
)
FULL = Finding(
    id="stream-refused",
    level=Level.ERROR,
    what="{url} refuses streams with {status}: {body}",
    cure="See MAX_STREAMS and MAX_STREAMS_PER_CLIENT, and behind a proxy, whether the server takes the address of its "
    "clients from it ('daphne --proxy-headers'): otherwise all are one client.",
)
FAILED = Finding(
    id="stream-fails",
    level=Level.ERROR,
    what="{url} answers the request for a stream with {status}: {body}",
    cure="See the logs of the site and of what stands before it.",
)

#: What each status says.
REFUSALS: Mapping[int, Finding] = {403: HIDDEN, 404: HIDDEN, 429: FULL, 501: WSGI, 503: FULL}


def explain_refusal(url: str, status: int, body: bytes, *, is_own: bool) -> Finding:
    """Return the finding for a stream that was answered by another status than 200.

    Args:
        status, body: those of the answer.
        is_own: whether it is the stream of a task that the doctor has just stored, with a token that it made.
    """
    known = OTHER_SETTINGS if status == 404 and is_own else REFUSALS.get(status, FAILED)
    return known.fill(url=url, status=status, body=_read(body))


def _read(body: bytes) -> str:
    """Return the beginning of an answer, as one line."""
    return " ".join(body.decode("utf-8", "replace").split())[:200]
