"""Model URIs as local directories: a path, `file:`, `runs:/<run_id>/<path>`, `models:/`, and any fsspec scheme."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from spark_models.errors import ModelNotFoundError, UnsupportedUriError
from spark_models.store.paths import inside

HOME_VARIABLE = "SPARK_MODELS_HOME"
"""The environment variable that names the directory of runs; `./spark-models-runs` where it is not set."""

FETCHERS: list[Callable[[str, Path], bool]] = []
"""What else fetches a remote directory: each gets the URI and where to put it, and says whether it knows the scheme.

`flavors.hadoop` adds the file systems of the active Spark session, which has their settings and credentials.
"""

RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def runs_home() -> Path:
    """The directory that holds the runs of `log_model`, absolute; it need not exist."""
    return Path(os.environ.get(HOME_VARIABLE) or "spark-models-runs").absolute()


def run_artifacts(run_id: str) -> Path:
    """The directory of one run's artifacts."""
    return runs_home() / run_id / "artifacts"


def local_path(uri: str | os.PathLike[str]) -> Path:
    """The absolute local directory of a model URI, fetched first where the URI is remote.

    Raises:
        ModelNotFoundError: [MODEL_NOT_FOUND] there is no such directory.
        UnsupportedUriError: [UNSUPPORTED_URI] nothing here reads the scheme; the hint names the extra to install.
        PathEscapesError: [PATH_ESCAPES] the path of a `runs:/` URI leads out of the run.
    """
    text = os.fspath(uri)
    scheme = uri_scheme(text)
    if scheme == "":
        path = Path(os.path.expanduser(text)).absolute()
    elif scheme == "file":
        path = Path(_file_path(text))
    elif scheme == "runs":
        path = _run_path(text)
    elif scheme == "models":
        path = _registered(text)
    else:
        path = _remote(text, scheme)
    if not path.exists():
        raise ModelNotFoundError(text, str(path))
    return path


def uri_scheme(uri: str) -> str:
    """The scheme of a URI, '' for a local path; a Windows drive is no scheme.

    >>> uri_scheme("runs:/0f3c/model"), uri_scheme("models/churn"), uri_scheme("C:/models/churn")
    ('runs', '', '')
    """
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", uri)
    return "" if match is None else match.group(1).lower()


def _file_path(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise UnsupportedUriError(uri, f"a file URI names a file of this host, not of {parts.netloc!r}")
    return os.path.abspath(unquote(parts.path))


def _run_path(uri: str) -> Path:
    run_id, _, relative = uri.split(":", 1)[1].strip("/").partition("/")
    if RUN_ID.fullmatch(run_id) is None:
        raise UnsupportedUriError(uri, "write runs:/<run_id>/<path>")
    path = inside(run_artifacts(run_id), relative, uri)
    return path if path.exists() or not _has_mlflow() else _from_mlflow(uri)


def _registered(uri: str) -> Path:
    if not _has_mlflow():
        raise UnsupportedUriError(uri, "models:/ needs a registry: pip install 'spark-models[mlflow]'")
    return _from_mlflow(uri)


def _has_mlflow() -> bool:
    from importlib.util import find_spec

    return find_spec("mlflow") is not None


def _from_mlflow(uri: str) -> Path:
    import mlflow

    return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri)).absolute()


def saved_path(path: str | os.PathLike[str]) -> Path:
    """The absolute local path that a package is to be saved at; `file:` URIs name one too.

    Raises:
        UnsupportedUriError: [UNSUPPORTED_URI] it is a URI of another scheme.

    >>> saved_path("file:///models/my%20churn").as_posix()
    '/models/my churn'
    """
    text = os.fspath(path)
    scheme = uri_scheme(text)
    if scheme == "file":
        return Path(_file_path(text))
    if scheme != "" and "/" in text:
        raise UnsupportedUriError(
            text, "save to a local path, or by log_model; only spark.save_model takes Hadoop's URIs"
        )
    return Path(path).absolute()


def _remote(uri: str, scheme: str) -> Path:
    from spark_models.store.cache import scratch_directory

    for fetch in FETCHERS:
        target = scratch_directory("download") / "model"
        if fetch(uri, target):
            return target
    try:
        import fsspec
    except ImportError as error:
        advice = f"{scheme}: needs fsspec: pip install 'spark-models[fsspec]' and the driver of {scheme}"
        raise UnsupportedUriError(uri, advice) from error
    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise UnsupportedUriError(uri, str(error)) from error
    target = scratch_directory("download") / "model"
    try:
        filesystem.get(path.rstrip("/") + "/", str(target) + "/", recursive=True)
    except FileNotFoundError as error:
        raise ModelNotFoundError(uri, path) from error
    return target
