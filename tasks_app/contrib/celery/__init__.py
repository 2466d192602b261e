"""The tracking of every Celery task, unchanged; add `"tasks_app.contrib.celery"` to INSTALLED_APPS."""
