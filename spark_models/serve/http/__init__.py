"""The REST server: an ASGI application over `DataPlane`, worker processes, and the process that looks after them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spark_models.serve.http.app import call_once, make_app

__all__ = ["call_once", "make_app"]


def __getattr__(name: str) -> Any:
    # The process that looks after the workers must stay small: it imports neither pandas nor a server.
    if name in __all__:
        from spark_models.serve.http import app

        return getattr(app, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
