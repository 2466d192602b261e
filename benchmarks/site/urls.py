from django.urls import include, path

from benchmarks.site import views

urlpatterns = [
    path("", include("tasks_app.urls")),
    path("pulse", views.start_pulse),
    path("batch", views.start_beats),
    path("begin", views.begin_beats),
    path("finish", views.finish_beats),
    path("objects", views.show_objects),
    path("calls", views.show_calls),
    path("accept", views.accept),
    path("naive-pulse", views.start_naive_pulse),
    path("naive", views.stream_naively),
]
