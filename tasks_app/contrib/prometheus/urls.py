"""The URL of the metrics; include it with `path("", include("tasks_app.contrib.prometheus.urls"))`."""

from django.urls import path

from .views import show_metrics

app_name = "tasks_app_prometheus"

urlpatterns = [path("task-metrics", show_metrics, name="metrics")]
