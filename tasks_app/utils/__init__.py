"""Small helpers that know nothing of tasks; each is imported from its own module."""
