from django.urls import include, path

from benchmarks.celery_site import views

urlpatterns = [
    path("", include("tasks_app.urls")),
    path("celery-progress/", include("celery_progress.urls")),
    path("start-recorder", views.start_recorder),
]
