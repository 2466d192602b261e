"""Small helpers without knowledge of tasks; import each from its own module."""
