"""The view that starts the other job."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from benchmarks.celery_site.tasks import stir_recorder


@csrf_exempt
def start_recorder(request: HttpRequest) -> JsonResponse:
    """Start a job that reports through celery-progress."""
    return JsonResponse({"task_id": stir_recorder.delay(int(request.GET["changes"])).id})
