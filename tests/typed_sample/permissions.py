"""Policies: each method sync or async, with or without what the default one says."""

from django.http import HttpRequest

from tasks_app import Snapshot
from tasks_app.permissions import Policy


class AsyncPolicy(Policy):
    async def can_start(self, request: HttpRequest, name: str) -> bool:
        return name == "import" or super().can_start(request, name)

    async def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        user = await request.auser()
        return user.is_authenticated

    async def can_cancel(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        return super().can_cancel(request, snapshot)

    async def can_list(self, request: HttpRequest) -> bool:
        return False


class SyncPolicy(Policy):
    def can_view(self, request: HttpRequest, snapshot: Snapshot) -> bool:
        if snapshot.task == "public":
            return True
        return super().can_view(request, snapshot)
