from django.contrib import admin
from django.urls import include, path

from . import downloads, views

urlpatterns = [
    path("", views.show_index, name="index"),
    path("demo/<slug:slug>", views.show_example, name="example"),
    path("import-csv", views.import_customers, name="import-csv"),
    path("import-csv/<slug:task_id>/skipped", downloads.download_skipped, name="skipped-rows"),
    path("admin/", admin.site.urls),
    path("", include("tasks_app.urls")),
]
