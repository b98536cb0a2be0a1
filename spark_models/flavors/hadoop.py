"""Between a package's folder and the file system that Spark sees: this host's disk, a Hadoop path, a server's."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spark_models.bridge.sql import is_connect
from spark_models.errors import InvalidArgumentError

DEFAULT = "/tmp/spark-models"  # noqa: S108 - a path on the cluster; each use makes a new random folder
"""Where a session that does not share this host's disk keeps files for a while, in its default file system."""


def shares_disk(spark: Any) -> bool:
    """Whether all of the session runs in this host's own processes."""
    return not is_connect(spark) and str(spark.sparkContext.master).startswith("local")


@contextmanager
def scratch_folder(spark: Any, dfs_tmpdir: str | None = None) -> Iterator[str]:
    """The URI of a new folder that Spark can write and read; removed afterwards, but on a Connect server it stays."""
    if dfs_tmpdir is None and shares_disk(spark):
        local = tempfile.mkdtemp(prefix="spark-models-")
        try:
            yield Path(local).as_uri()
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
        system.copyToLocalFile(False, path, spark._jvm.org.apache.hadoop.fs.Path(folder.as_uri()), True)
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
        system.copyFromLocalFile(False, True, spark._jvm.org.apache.hadoop.fs.Path(folder.as_uri()), path)
        return
    try:
        for file in sorted(item for item in folder.rglob("*") if item.is_file()):
            spark.copyFromLocalToFs(str(file), f"{remote.split(':', 1)[-1]}/{file.relative_to(folder).as_posix()}")
    except Exception as error:
        raise InvalidArgumentError(
            "The Spark Connect server does not take the model's files",
            "give dfs_tmpdir, a path of its default file system; for a server's own disk it needs "
            "spark.sql.artifact.copyFromLocalToFs.allowDestLocal=true",
        ) from error


def _file_system(spark: Any, uri: str) -> tuple[Any, Any]:
    path = spark._jvm.org.apache.hadoop.fs.Path(uri)
    return path.getFileSystem(spark._jsc.hadoopConfiguration()), path
