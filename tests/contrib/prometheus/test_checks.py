"""The check of what metrics need."""

from tasks_app.contrib.prometheus import checks


def test_missing_library_is_named_with_its_cure(monkeypatch):
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    (error,) = checks.check_client(None)
    assert (error.id, error.hint) == ("tasks_app.E011", "Run 'pip install prometheus-client'.")


def test_installed_library_is_no_error():
    assert checks.check_client(None) == []
