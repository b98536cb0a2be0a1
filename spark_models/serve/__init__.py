"""Serving: bodies and files become a model's input, its output becomes an answer, with a transport or without.

`strict_json` reads and writes JSON, `body` parses the forms of a body, `payload` casts them by the signature and
`answers` encodes what the model gave; `files` reads whole files in batches, `columnar` bodies that have types.
`DataPlane` is a model as a function of bytes. None of them knows of HTTP: that is `serve.http`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spark_models.serve.dataplane import Answer, DataPlane

__all__ = ["Answer", "DataPlane"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from spark_models.serve import dataplane

        return getattr(dataplane, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
