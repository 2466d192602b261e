"""The pages of the demo site, and the view that takes their uploads."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import urlencode
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from tasks_app import BrokerUnavailable, StoreUnavailable, TaskQueueFull, start, start_response

from . import uploads
from .examples import EXAMPLES, Example, choose_count, choose_seconds, make_template
from .rows import COLUMNS
from .table import Table
from .text_files import FALLBACKS, InvalidFile, open_text

#: The task of the framework that the profile uses.
import_csv: Any = import_string(settings.IMPORT_TASK)

#: The bytes of a request besides its file, for the boundaries and headers of the parts.
FORM_BYTES = 64 * 1024

#: The number of tasks in a URL; one stream can follow as many.
MAX_TASKS = 100

#: The component with which the index shows any task.
COMPONENT = "{% task_progress task_id cancel=True %}"

HINT = (
    "POST /start-task starts the demo task, GET the progress_url of the answer follows it live, "
    "GET /tasks/<task_id> shows it once, POST /tasks/<task_id>/cancel stops it, "
    "POST /import-csv with a form field 'file' imports customers (and with encoding=windows-1252, if it is that), "
    "GET /import-csv/<task_id>/skipped is a CSV file of the rows that it skipped."
)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@csrf_exempt  # so that a POST gets 405 instead of a CSRF error
@require_safe
def show_index(request: HttpRequest) -> HttpResponse:
    """Show the index page, or a hint about the endpoints to a client that prefers JSON."""
    if _prefers_json(request):
        response: HttpResponse = JsonResponse({"message": HINT})
        patch_vary_headers(response, ["Accept"])
        return response
    return _render_page(request, None)


@csrf_exempt
@require_safe
def show_example(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the page of an example."""
    if slug not in EXAMPLES:
        raise Http404(f"There is no example {slug!r}.")
    return _render_page(request, EXAMPLES[slug])


@csrf_exempt  # the check is made below
@require_POST
def import_customers(request: HttpRequest) -> HttpResponse:
    """Store an uploaded file and start its import.

    A script without cookies needs no CSRF token. `?page=` is the slug of the example to which a browser returns;
    without it, that is the index.
    """
    return csrf_protect(_import)(request) if _needs_token(request) else _import(request)


def _needs_token(request: HttpRequest) -> bool:
    """Return whether a request may be one that a page of another site makes a browser send."""
    origin = request.headers.get("Origin")
    is_browser = origin is not None or "Sec-Fetch-Site" in request.headers
    return bool(request.COOKIES) or (is_browser and origin not in settings.CSRF_TRUSTED_ORIGINS)


def _import(request: HttpRequest) -> HttpResponse:
    try:
        upload, fallback = _get_upload(request), _get_fallback(request)
        _check_file(upload, fallback)
        task_id = _start_import(request, upload, fallback)
    except Refusal as refusal:
        return _refuse(request, refusal)
    return _answer_started(request, task_id)


class Refusal(Exception):
    """The reason why an upload is refused, and the status of the response."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def _get_upload(request: HttpRequest) -> UploadedFile:
    _check_size(int(request.META.get("CONTENT_LENGTH") or 0) - FORM_BYTES)  # before the body is parsed
    upload = request.FILES.get("file")
    if upload is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Choose a CSV file to import; it is the form field 'file'.")
    _check_size(upload.size)
    return upload


def _get_fallback(request: HttpRequest) -> str:
    fallback = request.POST.get("encoding", "")
    if fallback and fallback not in FALLBACKS:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"encoding is {fallback!r}; allowed: {', '.join(FALLBACKS)}.")
    return fallback


def _check_file(upload: UploadedFile, fallback: str) -> None:
    """Check what would make the import fail at its beginning: the encoding, and the header."""
    try:
        with open_text(upload.file, fallback=fallback) as file:
            Table(file, COLUMNS)
    except InvalidFile as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from error
    upload.seek(0)


def _check_size(size: int) -> None:
    if size > settings.IMPORT_MAX_BYTES:
        limit = filesizeformat(settings.IMPORT_MAX_BYTES).replace("\xa0", " ")
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The file is too large; at most {limit} are allowed.")


def _start_import(request: HttpRequest, upload: UploadedFile, fallback: str) -> str:
    name = uploads.store(upload)
    try:
        return start(import_csv, name, fallback, owner=request.user, label=f"Import {upload.name}")
    except BaseException as error:
        uploads.delete(name)
        if isinstance(error, BrokerUnavailable | StoreUnavailable | TaskQueueFull):
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "No import can start now; try again later.") from error
        raise


def _answer_started(request: HttpRequest, task_id: str) -> HttpResponse:
    if not _prefers_json(request):
        page = f"{_get_address(_find_example(request))}?{urlencode({'task': task_id})}"
        return HttpResponseRedirect(page, status=HTTPStatus.SEE_OTHER)
    return start_response(request, task_id, task=settings.IMPORT_TASK)


def _refuse(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    headers = {"Retry-After": "5"} if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    if not _prefers_json(request):
        page = _find_example(request)
        return _render_page(request, page, status=refusal.status, headers=headers, refusal=refusal.detail)
    problem = {
        "type": "about:blank",
        "title": refusal.status.phrase,
        "status": refusal.status,
        "detail": refusal.detail,
    }
    return JsonResponse(problem, status=refusal.status, content_type="application/problem+json", headers=headers)


def _find_example(request: HttpRequest) -> Example | None:
    return EXAMPLES.get(request.GET.get("page", ""))


def _get_address(example: Example | None) -> str:
    return reverse("example", args=[example.slug]) if example else reverse("index")


def _render_page(
    request: HttpRequest,
    example: Example | None,
    *,
    status: int = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
    refusal: str = "",
) -> HttpResponse:
    """Return the page of an example, or of the index if `example` is None."""
    context = {
        "example": example,
        "page_url": _get_address(example),
        "examples": EXAMPLES.values(),
        "takes_files": example is None or example.takes_files,
        "fields": example.fields if example else (choose_seconds(10), choose_count(1)),
        "component": example.template if example else make_template(COMPONENT),
        "tasks": _list_tasks(request, example.label if example else ""),
        "columns": COLUMNS,
        "encodings": FALLBACKS,
        "max_bytes": settings.IMPORT_MAX_BYTES,
        "max_tasks": MAX_TASKS,
        "refusal": refusal,
    }
    template = "progress_site/example.html" if example else "progress_site/index.html"
    response = render(request, template, context, status=status)
    for name, value in (headers or {}).items():
        response[name] = value
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    patch_vary_headers(response, ["Accept"])
    return response


def _list_tasks(request: HttpRequest, label: str) -> list[dict[str, str]]:
    """Return the tasks in the URL, the newest first, with numbered labels."""
    task_ids = list(dict.fromkeys(filter(None, request.GET.getlist("task"))))[-MAX_TASKS:]
    labels = [f"{label} {number}" if label else "" for number in range(1, len(task_ids) + 1)]
    tasks = zip(task_ids, labels, strict=True)
    return [{"task_id": task_id, "label": label} for task_id, label in tasks][::-1]


def _prefers_json(request: HttpRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"
