"""Storages of static files that Django documents, but does not name."""

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class ModuleStorage(ManifestStaticFilesStorage):
    """Changes the names in imports as well."""

    support_js_module_import_aggregation = True
