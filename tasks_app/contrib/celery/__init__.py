"""The tracking of unchanged Celery tasks, for sites with `"tasks_app.contrib.celery"` in INSTALLED_APPS."""
