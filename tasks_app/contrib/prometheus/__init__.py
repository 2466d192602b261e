"""Metrics for Prometheus; put "tasks_app.contrib.prometheus" into INSTALLED_APPS."""
