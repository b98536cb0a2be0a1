"""Between a package's folder and the file system that Spark sees: this host's disk, a Hadoop path, a server's."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from spark_models.bridge.sql import is_connect
from spark_models.errors import InvalidArgumentError, ModelNotFoundError, ModelPathExistsError, UnsupportedUriError
from spark_models.package.writer import PathLike
from spark_models.store.uris import FETCHERS, uri_scheme

DEFAULT = "/tmp/spark-models"  # noqa: S108 - a path on the cluster; each use makes a new random folder
"""Where a session that does not share this host's disk keeps files for a while, in its default file system."""


def hadoop_uri(path: Path) -> str:
    """The URI of a local path as Hadoop reads it: nothing is encoded, for it would decode nothing.

    >>> hadoop_uri(Path("/models/my churn"))
    'file:///models/my churn'
    """
    return f"file://{path.absolute()}"


def shares_disk(spark: Any) -> bool:
    """Whether all of the session runs in this host's own processes."""
    return not is_connect(spark) and str(spark.sparkContext.master).startswith("local")


@contextmanager
def scratch_folder(spark: Any, dfs_tmpdir: str | None = None) -> Iterator[str]:
    """The URI of a new folder that Spark can write and read; removed afterwards, but on a Connect server it stays."""
    if dfs_tmpdir is None and shares_disk(spark):
        local = tempfile.mkdtemp(prefix="spark-models-")
        try:
            yield hadoop_uri(Path(local))
        finally:
            shutil.rmtree(local, ignore_errors=True)
        return
    remote = f"{(dfs_tmpdir or DEFAULT).rstrip('/')}/{uuid.uuid4().hex}"
    try:
        yield remote
    finally:
        if not is_connect(spark):
            system, path = _file_system(spark, remote)
            system.delete(path, True)


def fetch(spark: Any, remote: str, folder: Path) -> None:
    """Copies what Spark wrote at `remote` into `folder`, through Spark itself where it runs on a server."""
    if not is_connect(spark):
        system, path = _file_system(spark, remote)
        system.copyToLocalFile(False, path, spark._jvm.org.apache.hadoop.fs.Path(hadoop_uri(folder)), True)
        return
    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(remote)
    base = remote.split(":", 1)[-1].lstrip("/") + "/"
    for row in files.select("path", "content").collect():
        target = folder / row["path"].split(base, 1)[1]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(row["content"])


def send(spark: Any, folder: Path, remote: str) -> None:
    """Copies `folder` to `remote` in the file system that Spark sees.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] a Connect server does not take the files.
    """
    if not is_connect(spark):
        system, path = _file_system(spark, remote)
        system.copyFromLocalFile(False, True, spark._jvm.org.apache.hadoop.fs.Path(hadoop_uri(folder)), path)
        return
    try:
        for file in sorted(item for item in folder.rglob("*") if item.is_file()):
            # It takes a path of the server's default file system, and no URI.
            spark.copyFromLocalToFs(str(file), f"{urlsplit(remote).path}/{file.relative_to(folder).as_posix()}")
    except Exception as error:
        raise InvalidArgumentError(
            "The Spark Connect server does not take the model's files",
            "give dfs_tmpdir, a path of its default file system; for a server's own disk it needs "
            "spark.sql.artifact.copyFromLocalToFs.allowDestLocal=true",
        ) from error


@contextmanager
def destination(path: PathLike, session: Callable[[], Any]) -> Iterator[PathLike]:
    """The local path to save a package at: `path` itself; for a URI another, and it is put there when it is whole.

    Raises:
        ModelPathExistsError: [PATH_EXISTS] something is there, and it is no empty directory.
        UnsupportedUriError: [UNSUPPORTED_URI] the session has no file system for the URI, or is one of Spark Connect;
            or the file system does not put the package there.
    """
    uri = os.fspath(path)
    if uri_scheme(uri) in ("", "file"):
        yield path
        return
    spark = session()
    if is_connect(spark):
        raise UnsupportedUriError(uri, "over Spark Connect save to a local path: the client writes the package")
    try:
        system, target = _file_system(spark, uri)
    except Exception as error:
        raise UnsupportedUriError(uri, "the Spark session has no file system for it") from error
    _require_free(system, target, uri)
    with tempfile.TemporaryDirectory(prefix="spark-models-") as folder:
        local = Path(folder, "model")
        yield local
        hadoop = spark._jvm.org.apache.hadoop.fs.Path
        staged = hadoop(target.getParent(), f".{target.getName()}.{uuid.uuid4().hex}")
        try:
            system.mkdirs(target.getParent())
            system.copyFromLocalFile(False, True, hadoop(hadoop_uri(local)), staged)
            _require_free(system, target, uri)
            # rename would move the package into an empty directory.
            emptied = system.delete(target, False)
            if not system.rename(staged, target):
                _require_free(system, target, uri)
                if emptied:
                    system.mkdirs(target)
                raise UnsupportedUriError(
                    uri, "its file system did not rename the package to it: see who may write there"
                )
            inside = hadoop(target, staged.getName())
            if system.exists(inside):
                # A directory was made there meanwhile.
                system.delete(inside, True)
                raise ModelPathExistsError(uri)
        finally:
            system.delete(staged, True)


def _require_free(system: Any, path: Any, uri: str) -> None:
    if system.exists(path) and not (system.getFileStatus(path).isDirectory() and len(system.listStatus(path)) == 0):
        raise ModelPathExistsError(uri)


def fetch_package(uri: str, folder: Path) -> bool:
    """Copies a directory of a Hadoop file system into `folder`; False where no session is active that knows the scheme.

    Raises:
        ModelNotFoundError: [MODEL_NOT_FOUND] there is no such directory.
    """
    sql = sys.modules.get("pyspark.sql")
    spark = None if sql is None else sql.SparkSession.getActiveSession()
    if spark is None or is_connect(spark) or uri.split(":", 1)[0].lower() in ("http", "https"):
        return False
    try:
        system, path = _file_system(spark, uri)
    except Exception:  # noqa: BLE001 - Java's, for a scheme that it does not know; another way may know it
        return False
    if not system.exists(path):
        raise ModelNotFoundError(uri, str(path.toString()))
    system.copyToLocalFile(False, path, spark._jvm.org.apache.hadoop.fs.Path(hadoop_uri(folder)), True)
    return True


def _file_system(spark: Any, uri: str) -> tuple[Any, Any]:
    path = spark._jvm.org.apache.hadoop.fs.Path(uri)
    return path.getFileSystem(spark._jsc.hadoopConfiguration()), path


FETCHERS.append(fetch_package)
