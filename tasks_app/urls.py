"""The URLs of the app; include them with `path("", include("tasks_app.urls"))`."""

from django.urls import path

from .http import health, views
from .monitor import views as monitor
from .openapi import show_openapi

app_name = "tasks_app"

urlpatterns = [
    path("start-task", views.start_task, name="start-task"),
    path("task-progress", views.stream_tasks, name="tasks-progress"),
    path("task-progress/<str:task_id>", views.stream_task, name="task-progress"),
    path("tasks", views.list_tasks, name="tasks"),
    path("task-health", health.show_health, name="health"),
    path("tasks/monitor", monitor.show_monitor, name="monitor"),
    path("tasks/monitor/data", monitor.show_monitor_data, name="monitor-data"),
    path("tasks/openapi.json", show_openapi, name="openapi"),
    path("tasks/tokens", views.make_tokens, name="tokens"),
    path("tasks/<str:task_id>", views.show_task, name="task"),
    path("tasks/<str:task_id>/children", views.list_children, name="task-children"),
    path("tasks/<str:task_id>/cancel", views.cancel_task, name="task-cancel"),
    path("tasks/<str:task_id>/monitor", monitor.show_monitored_task, name="monitor-task"),
    path("tasks/<str:task_id>/monitor/details", monitor.show_task_details, name="monitor-task-details"),
]
