from django.urls import include, path

from tests.support import puppets

urlpatterns = [
    path("", include("tasks_app.urls")),
    path("orders/<str:name>", puppets.give_order),
    path("stats", puppets.show_stats),
]
