"""The description of all endpoints as OpenAPI 3.2, built of the constants that the code itself uses."""

from .views import show_openapi

__all__ = ["show_openapi"]
