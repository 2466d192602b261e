from django.contrib import admin
from django.urls import include, path

from . import views

urlpatterns = [
    path("", views.show_index, name="index"),
    path("demo/<slug:slug>", views.show_example, name="example"),
    path("import-csv", views.import_customers, name="import-csv"),
    path("admin/", admin.site.urls),
    path("", include("tasks_app.urls")),
]
