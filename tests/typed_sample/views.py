"""Views that start tasks; what a call gets wrong is an error of both checkers."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.urls import reverse

from tasks_app import astart, astart_batch, start, start_batch

from .jobs import download, import_rows, report, resize


@login_required
async def upload(request: HttpRequest) -> JsonResponse:
    task_id = await astart(import_rows, "rows.csv", owner=await request.auser())
    return JsonResponse({"progress_url": reverse("tasks_app:task-progress", args=[task_id])})


def start_well() -> list[str]:
    return [
        start(import_rows, "rows.csv"),
        start(import_rows, "rows.csv", 5),
        start(import_rows, path="rows.csv", limit=5),
        start(import_rows, "rows.csv", owner=7),
        start(import_rows, "rows.csv", owner=7, on_commit=True),
        start(import_rows, "rows.csv", on_commit=False),
        start(import_rows, "rows.csv", label="Import rows"),
        start(import_rows, "rows.csv", owner=7, label="Import rows"),
        start(import_rows.using(priority=5), "rows.csv"),
        start(download, ["https://example.com"], retries=5),
        start(report, 2026),
        start(resize, "a.png", width=5),
        start(resize.s("a.png")),
        start(resize.s("a.png"), owner=7),
        start(import_rows, "rows.csv", parent=None),
        start(import_rows, "rows.csv", weight=2.5),
        start(import_rows, "rows.csv", owner=7, parent="a", weight=2),
        start_batch(import_rows, [("a.csv",), {"path": "b.csv"}, (("c.csv",), {"limit": 5})], owner=7, name="Imports"),
    ]


async def start_well_in_a_loop() -> list[str]:
    return [
        await astart(import_rows, "rows.csv", limit=5),
        await astart(report, 2026, label="Report"),
        await astart_batch(report, [(2026,)]),
    ]


def start_badly() -> None:
    start(import_rows, 5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    start(import_rows, "rows.csv", wrong=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    start(import_rows)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    start(download, ["https://example.com"])  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    start(report)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    start(resize, 5, wrong=True)  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
    start(print, "rows.csv")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    start(import_rows, "rows.csv", owner=7, on_commit="default")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    start(print, "rows.csv", owner=7)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


async def start_badly_in_a_loop() -> None:
    await astart(import_rows, 5, wrong=True)  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
    await astart(report, "2026")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
