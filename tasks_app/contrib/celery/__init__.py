"""Mirrors the life of every Celery task, without a change to it; in INSTALLED_APPS: `"tasks_app.contrib.celery"`."""
