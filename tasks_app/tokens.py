"""Tokens that show tasks to their bearer, or give control of them, without another look at session and policy."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from django.core import signing
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.utils import timezone

from .conf import MAX_SECONDS, get_settings
from .utils.lazy import per_process
from .utils.query import Query

#: Names the version of the tokens: one of another version has a signature that does not fit.
_SALT = "tasks_app.token.v1"

#: What a token's text ends with, by its scope.
_SUFFIXES = {"view": "", "control": ".control"}

#: The characters of a task in a token.
MARK_LENGTH = 16

#: The request attribute that caches what its tokens allow.
_RIGHTS = "_tasks_app_rights"


def make_token(task_id: str, *, max_age: float | None = None, scope: str = "view") -> str:
    """Return a signed token that lets its bearer see one task.

    Send it as the query parameter `token`, or as `Authorization: Bearer`. A stream of several tasks takes several
    parameters `token`.

    Args:
        task_id: the id of the task.
        max_age: seconds until the token expires, by default TOKEN_MAX_AGE.
        scope: "view"; or "control", which lets its bearer cancel the task as well.

    Raises:
        ValueError: `scope` is neither.
    """
    return make_joint_token([task_id], max_age=max_age, scope=scope)


def make_joint_token(task_ids: Iterable[str], *, max_age: float | None = None, scope: str = "view") -> str:
    """Do what `make_token` does, for several tasks: the token of a hundred fits into a URL."""
    if scope not in _SUFFIXES:
        raise ValueError(f"scope must be one of {tuple(_SUFFIXES)!r}, not {scope!r}")
    lifetime = min(get_settings().TOKEN_MAX_AGE if max_age is None else max_age, MAX_SECONDS)
    expires_at = int((timezone.now().timestamp() + lifetime) * 1000)  # never longer
    return _get_signer().sign(f"{expires_at}.{''.join(map(_make_mark, task_ids))}{_SUFFIXES[scope]}")


class TokenRights:
    """The rights of some tokens: to see tasks, each until the last of its tokens expires, and to control them."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._expiries: dict[str, float] = {}
        self._controls: dict[str, float] = {}
        for expires_at, marks, gives_control in filter(None, map(_read_token, tokens)):
            _prolong(self._expiries, marks, expires_at)
            if gives_control:
                _prolong(self._controls, marks, expires_at)

    def get_lifetime(self, task_id: str) -> float | None:
        """Return for how many seconds more the task may be seen; None if it may not."""
        return find_lifetime(self.get_expiry(task_id))

    def get_expiry(self, *task_ids: str) -> float:
        """Return the time, in seconds since 1970, until which all these tasks may be seen; 0 if not all ever were."""
        return min(self._expiries.get(_make_mark(task_id), 0.0) for task_id in task_ids) if self._expiries else 0.0

    def gives_control(self, task_id: str) -> bool:
        """Return whether the task may be cancelled."""
        return find_lifetime(self._controls.get(_make_mark(task_id), 0.0)) is not None


def find_lifetime(expires_at: float) -> float | None:
    """Return the seconds until a time that `get_expiry` returned; None if it has passed."""
    left = expires_at - timezone.now().timestamp()
    return left if left > 0 else None


def get_token_rights(request: HttpRequest) -> TokenRights:
    """Return what the tokens of a request allow, which are read once."""
    rights: TokenRights | None = getattr(request, _RIGHTS, None)
    if rights is None:
        rights = read_tokens(request.META.get("HTTP_AUTHORIZATION", ""), request.GET)
        setattr(request, _RIGHTS, rights)
    return rights


def read_tokens(authorization: str, query: Query) -> TokenRights:
    """Return what the tokens of a request allow.

    Args:
        authorization: the header of that name, or nothing.

    Raises:
        SuspiciousOperation: there are more than MAX_TASKS_PER_STREAM; none of them is looked at.
    """
    tokens, limit = list(_find_tokens(authorization, query)), get_settings().MAX_TASKS_PER_STREAM
    if len(tokens) > limit:
        raise SuspiciousOperation(f"The request has {len(tokens)!r} tokens; at most {limit!r} are allowed.")
    return TokenRights(tokens)


def has_token(request: HttpRequest, task_id: str) -> bool:
    """Return whether the request carries a valid token for this task, perhaps among tokens for others."""
    return get_token_rights(request).get_lifetime(task_id) is not None


def has_control(request: HttpRequest, task_id: str) -> bool:
    """Return whether the request carries a valid token with which this task may be cancelled."""
    return get_token_rights(request).gives_control(task_id)


def opens(token: str, task_id: str) -> bool:
    """Return whether `token` is for this task and has not expired."""
    return TokenRights([token]).get_lifetime(task_id) is not None


def gives_control(token: str, task_id: str) -> bool:
    """Return whether `token` is one with which this task may be cancelled, and has not expired."""
    return TokenRights([token]).gives_control(task_id)


def _prolong(expiries: dict[str, float], marks: Iterable[str], expires_at: float) -> None:
    for mark in marks:
        expiries[mark] = max(expires_at, expiries.get(mark, 0.0))


def _make_mark(task_id: str) -> str:
    """Return the short name of a task in a token: as a digest, so that any id takes MARK_LENGTH characters."""
    digest = blake2b(task_id.encode("utf-8", "surrogatepass"), digest_size=12).digest()
    return urlsafe_b64encode(digest).decode("ascii")


def _read_token(token: str) -> tuple[float, list[str], bool] | None:
    """Return a token's expiry, the marks of its tasks and whether it gives control; None if its signature is bad."""
    try:
        text = _get_signer().unsign(token)
    except signing.BadSignature:
        return None
    expires_at, marks, *suffix = text.split(".")
    each = [marks[start : start + MARK_LENGTH] for start in range(0, len(marks), MARK_LENGTH)]
    return int(expires_at) / 1000, each, bool(suffix)


@per_process("SECRET_KEY", "SECRET_KEY_FALLBACKS")
def _get_signer() -> signing.Signer:
    """Return the signer of all tokens: to make one for each costs half of reading it."""
    return signing.Signer(salt=_SALT)


def _find_tokens(authorization: str, query: Query) -> Iterator[str]:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":  # it may belong to another app
        yield credentials.strip()
    yield from query.getlist("token")
