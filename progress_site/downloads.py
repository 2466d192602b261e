"""The view from which the rows that an import skipped are downloaded."""

from typing import Self

from asgiref.sync import sync_to_async
from django.core.files import File
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from tasks_app import TaskNotFound, get_snapshot
from tasks_app.permissions import Policy

from . import skipped

CHUNK_BYTES = 64 * 1024


@csrf_exempt  # so that a POST gets 405 instead of a CSRF error
@require_safe
def download_skipped(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Answer the rows that an import skipped as a CSV file, to those who may see the import without a token."""
    try:
        if Policy().can_view(request, get_snapshot(task_id)):
            return _send(skipped.open_stored(task_id))
    except TaskNotFound:
        skipped.delete_outdated()
    except FileNotFoundError:  # it skipped none, or has not ended
        pass
    raise Http404(f"There are no skipped rows of an import {task_id!r}.")


def _send(file: File) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        _Chunks(file),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Length": file.size,
            "Content-Disposition": 'attachment; filename="skipped-rows.csv"',
            "Cache-Control": "private, no-store",
        },
    )


class _Chunks:
    """The chunks of a file, of which no more than one is held in memory; Django closes it with the response."""

    def __init__(self, file: File) -> None:
        self._file = file

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk: bytes = await sync_to_async(self._file.read)(CHUNK_BYTES)
        if not chunk:
            raise StopAsyncIteration
        return chunk

    def close(self) -> None:
        self._file.close()
