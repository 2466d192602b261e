"""The template tags of the live progress bar: `{% load tasks_app %}{% task_progress task_id cancel=True %}`.

`{% task_progress_head %}` loads only its script: in the page's head, or for components that are added later.
"""

import asyncio
import logging
import re
from functools import partial
from typing import Any

from django import template
from django.http import HttpRequest
from django.template import Context
from django.utils.text import capfirst

from ..conf import get_settings
from ..exceptions import TaskNotFound, describe
from ..http import find_base, needs_csrf
from ..lifecycle import look_up
from ..permissions import is_allowed_now, note_shown
from ..snapshot import Snapshot
from ..store import get_store
from ..tokens import gives_control, make_token, opens
from ..utils import static_files
from ..utils.json import mend_text
from ..utils.lazy import per_process
from .texts import get_translations

logger = logging.getLogger("tasks_app")

register = template.Library()

#: The static file that defines the component; as every script that a page loads it is built, and imports nothing.
SCRIPT = "tasks_app/task-progress-define.js"

_IS_LOADED = "tasks_app is loaded"

#: The module in the name of a task.
_MODULE = re.compile(r"(?:[^\s.,]+\.)+")


@register.filter
def task_name(task: str) -> str:
    """Return the display name of a task, as the script does: "shop.tasks.import_rows" becomes "Import rows".

    In the name of a parent, such as "chain of shop.tasks.read, shop.tasks.save", each name loses its module.
    """
    return capfirst(_MODULE.sub("", task).replace("_", " "))


@register.simple_tag(takes_context=True)
def page_nonce(context: Context) -> str:
    """Return the nonce of the page's Content-Security-Policy, or "" if it has none.

    To read it puts it into the policy, so it is read only where it is used.
    """
    request = context.get("request") or getattr(context, "request", None)
    places = (
        context.get("csp_nonce"),  # Django 6, with its context processor
        context.get("CSP_NONCE"),  # django-csp, with its context processor
        getattr(request, "csp_nonce", None),  # django-csp
        getattr(request, "_csp_nonce", None),  # Django 6
    )
    return next((text for nonce in places if nonce is not None and (text := str(nonce))), "")


@register.inclusion_tag("tasks_app/head.html", takes_context=True)
def task_progress_head(context: Context, *, script: str = SCRIPT) -> dict[str, Any]:
    """Load the component's script, style and translations, once per page.

    Args:
        script: the static file that defines the component; those of the monitor's pages do more.
    """
    page = context.render_context.dicts[0]  # shared by a page's template and those that it includes
    is_first = _IS_LOADED not in page
    page[_IS_LOADED] = "yes"
    _look_for_static_server()
    return {
        "is_first": is_first,
        "script": script,
        "translations": get_translations() if is_first else {},
        "nonce": page_nonce(context) if is_first else "",
    }


@register.inclusion_tag("tasks_app/task_progress.html", takes_context=True)
def task_progress(
    context: Context,
    task_id: str,
    *,
    label: str = "",
    token: str = "",
    cancel: bool = False,
    logs: bool = False,
    children: bool = False,
    compact: bool = False,
    page_title: bool = False,
    page_icon: bool = False,
) -> dict[str, Any]:
    """Show a task live, and without JavaScript as it is when the page is rendered.

    The page contains the task's state only if its reader may see the task: `token` opens it, the policy allows it for
    the context's `request`, or the task has no owner, so that the page alone decides. Without a `token` the page also
    contains one, with which the component is shown the task for TOKEN_MAX_AGE and which the session renews: a page
    that is cached for several readers shows the task to all of them. A template rendered in an event loop contains
    neither, because neither cache nor policy may block the loop, but for a task without owner in a local cache.

    Args:
        task_id: the id of the task.
        label: the displayed name; by default, that with which the task was started, else the name of its function.
        token: the token from `make_token`, for readers who may not see the task otherwise.
        cancel: whether to show a cancel button, to readers who may cancel the task.
        logs: whether to show the task's log lines.
        children: whether to list those of its children that run or have failed.
        compact: whether to show everything in one row.
        page_title: whether the title of the page shows the progress while the task lives.
        page_icon: whether the icon of the page does.

    Without an id, as of a variable that the page does not have, it shows nothing, and says so in the log.
    """
    if not task_id:
        logger.warning(
            "{%% task_progress %%} shows nothing: its task_id is %s, not the id of a task", describe(task_id)
        )
        return {}
    request = context.get("request")
    snapshot = _look_up(request, str(task_id), token)
    cancel = cancel and _may_cancel(request, snapshot, token)
    is_given = snapshot is not None and not token and (logs or children or not snapshot.is_terminal)
    label = _mend_label(label)
    if snapshot is not None and snapshot.owner is None:
        note_shown(snapshot.task)
    return task_progress_head(context) | {
        "task_id": task_id,
        "src": find_base(request),
        "label": label,
        "token": make_token(str(task_id)) if is_given else token,
        "token_age": str(get_settings().TOKEN_MAX_AGE) if is_given else "",  # as text, which no locale formats
        "cancel": cancel,
        "logs": logs,
        "children": children,
        "compact": compact,
        "page_title": page_title,
        "page_icon": page_icon,
        "name": label or (snapshot and (snapshot.label or task_name(snapshot.task))) or "",
        "snapshot": snapshot,
        "wire": snapshot and snapshot.to_wire(),
        "is_determinate": snapshot and (snapshot.percent is not None or snapshot.is_terminal),
        "needs_csrf": cancel or (is_given and request is not None and needs_csrf(request)),
        "page": request.get_full_path() if request is not None else "",
    }


def _mend_label(label: str) -> str:
    """Return a label that a page can carry: it may well be the name of a file. One that is marked as safe stays so."""
    mended = mend_text(text := str(label))
    return label if mended == text else mended


@per_process("STATIC_URL", "STATIC_ROOT", "MIDDLEWARE", "ROOT_URLCONF")
def _look_for_static_server() -> bool:
    """Say in the log if nothing seems to serve the component's script; return whether something does."""
    is_served = static_files.is_serving_configured() or static_files.has_handler()
    if not is_served:
        logger.warning("nothing seems to serve %s: components stay as rendered. %s", SCRIPT, static_files.CURE)
    return is_served


def _look_up(request: HttpRequest | None, task_id: str, token: str) -> Snapshot | None:
    """Return the task, or None if the reader may not see it, or nothing can be read; a page is shown in any case."""
    try:
        return _find_in_loop(task_id) if _is_in_event_loop() else _find_visible(request, task_id, token)
    except TaskNotFound:
        return None
    except Exception:
        logger.exception("task %s: its state could not be read for a page", task_id, extra={"task_id": task_id})
        return None


def _find_visible(request: HttpRequest | None, task_id: str, token: str) -> Snapshot | None:
    snapshot = get_store().call_briefly(partial(look_up, waits=False), task_id)
    bool(getattr(request, "user", None))  # loads the lazy user, which may query the database; the page varies by it
    is_visible = snapshot.owner is None or opens(token, task_id) or _is_allowed("can_view", request, snapshot)
    return snapshot if is_visible else None


def _find_in_loop(task_id: str) -> Snapshot | None:
    """Return a task without owner, if a local cache has it: then nothing blocks the loop, and no policy is asked."""
    snapshot = look_up(task_id, waits=False) if get_store().is_local else None
    return snapshot if snapshot is not None and snapshot.owner is None else None


def _may_cancel(request: HttpRequest | None, snapshot: Snapshot | None, token: str) -> bool:
    """Return whether the reader may cancel the task; of one that is not known, the server says so when it is asked."""
    if snapshot is None or gives_control(token, snapshot.task_id):
        return True
    try:
        return not _is_in_event_loop() and _is_allowed("can_cancel", request, snapshot)
    except Exception:
        logger.exception(
            "task %s: the policy did not tell a page whether its reader may cancel it",
            snapshot.task_id,
            extra={"task_id": snapshot.task_id},
        )
        return False


def _is_allowed(rule: str, request: HttpRequest | None, snapshot: Snapshot) -> bool:
    return request is not None and is_allowed_now(rule, request, snapshot)


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
