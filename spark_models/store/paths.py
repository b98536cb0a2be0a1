"""Paths that stay inside a package: what a package says of its own files is untrusted until checked."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from spark_models.errors import PathEscapesError


def inside(root: Path, relative: str, source: str) -> Path:
    """The path of `relative` under `root`, which need not exist.

    Raises:
        PathEscapesError: [PATH_ESCAPES] the path is absolute, has `..` or a drive, or a link leads it out of `root`.

    >>> inside(Path("/models/m"), "data/model.pkl", "MLmodel").as_posix()
    '/models/m/data/model.pkl'
    """
    parts = PurePosixPath(str(relative).replace("\\", "/"))
    if (
        parts.is_absolute()
        or ".." in parts.parts
        or ":" in (parts.parts[0] if parts.parts else "")
        or "\0" in str(relative)
    ):
        raise PathEscapesError(str(relative), source)
    path = root.joinpath(*parts.parts)
    real, base = os.path.realpath(path), os.path.realpath(root)
    if os.path.commonpath([real, base]) != base:
        raise PathEscapesError(str(relative), source)
    return path
