"""django-eventstream, as its documentation shows it: a channel, and events sent to it from a thread."""

import threading
import time

import django_eventstream.urls
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django_eventstream import send_event

from benchmarks.pulse import make_payload


@csrf_exempt
def start_pulse(request: HttpRequest) -> JsonResponse:
    """Start a publisher."""
    threading.Thread(target=_publish, args=(float(request.GET["interval"]),), daemon=True).start()
    return JsonResponse({"stream": "/stream/"})


def _publish(interval: float) -> None:
    while True:
        send_event("pulse", "message", make_payload(), json_encode=False)
        time.sleep(interval)


urlpatterns = [
    path("pulse", start_pulse),
    path("stream/", include(django_eventstream.urls), {"channels": ["pulse"]}),
]
