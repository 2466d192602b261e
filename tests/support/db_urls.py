from django.urls import include, path

from tests.support import db_jobs

urlpatterns = [path("enqueue", db_jobs.enqueue), path("", include("tasks_app.urls"))]
