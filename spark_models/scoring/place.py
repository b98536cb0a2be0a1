"""A package on every host of a Spark application, by its content hash.

The driver copies it into its own cache, hashing every byte, and on a cluster adds it to the application as one archive,
with this toolkit beside it, so that workers run the driver's version and need it not installed. A large package is not
added where the executors say that they see the driver's copy: Spark would send it to each of them all the same.
A worker takes it from the driver's cache where it shares that host or file system, else it unpacks the archive into the
cache of its host, under a lock, and compares every byte with the manifest.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_models.bridge.sql import is_connect
from spark_models.errors import ShipError, UnsafeCacheError
from spark_models.package.layout import MANIFEST
from spark_models.package.manifest import (
    CHUNK,
    IGNORED,
    check_hash,
    copy_verified,
    hash_of,
    read_manifest,
    verify_manifest,
)
from spark_models.package.reader import Package
from spark_models.store.cache import entry, entry_size, hold, is_full, scratch_directory
from spark_models.store.paths import inside

MAX_MEMBERS = 100_000
MAX_RATIO = 1_000
"""Our archives are stored, not compressed; more than this many times their size is an attack, not a package."""

LARGE = 32 << 20
"""Bytes of a package from which on it is faster to ask the executors whether they see it than to send it."""

SHIP = "spark.sparkModels.ship"
"""The Spark setting "auto" or "always": whether packages are sent to executors that see the driver's copy."""

TOOLKIT = "spark_models"
TOOLKIT_ROOT = Path(__file__).parents[1]

_added: dict[tuple[str, str], str] = {}


@dataclass(frozen=True, slots=True)
class PackageRef:
    """Where a worker finds a package: its content hash, the driver's copy, and the archive of the application."""

    content_hash: str
    driver_root: str
    archive: str | None = None

    def root(self) -> Path:
        """The package's directory on this host.

        Raises:
            ShipError: [SHIP_FAILED] neither the driver's copy nor the archive can be used.
        """
        shared = Path(self.driver_root)
        if is_whole(shared, self.content_hash) and hold(shared):
            return shared
        if self.archive is None:
            raise ShipError(self.content_hash[:12], f"{self.driver_root} is not on this host")
        return _unpacked(self.archive, self.content_hash)


def place(spark: Any, package: Package, expected_hash: str | None = None) -> PackageRef:
    """Puts a package where the workers of a session find it.

    Raises:
        ManifestMismatchError: [MANIFEST_MISMATCH] a file is not as it was saved.
        HashMismatchError: [HASH_MISMATCH] the package is not the pinned one.
    """
    stated = package.content_hash()
    check_hash(stated, expected_hash, str(package.root))

    copied: list[Path] = []

    def fill(stage: Path) -> None:
        check_hash(copy_verified(package.root, stage), stated, str(package.root))
        copied.append(stage)

    root = entry(stated, fill)
    if copied == []:
        # It was placed before, and is still compared: it may have been changed since.
        package.verify(stated)
    shared = is_local(spark) or _executors_share(spark, root, stated)
    return PackageRef(stated, str(root), None if shared else add_archive(spark, root, stated))


def is_local(spark: Any) -> bool:
    """Whether the workers are on the driver's host and in its file system: a classic session of master local."""
    master = "" if is_connect(spark) else str(spark._sc.master)
    return master.startswith("local") and "cluster" not in master


def _executors_share(spark: Any, root: Path, content_hash: str) -> bool:
    """Whether every executor reads the driver's copy of a large package, and those that may come later will, too.

    What an executor on another host sees is on a shared file system. Where all are on the driver's host, none may be
    started elsewhere later: that is, Spark doesn't allocate them dynamically.
    """
    if is_connect(spark) or str(spark.conf.get(SHIP, "auto")).lower() == "always" or entry_size(root) < LARGE:
        return False
    _add_toolkit(spark)
    context = spark.sparkContext
    tasks = max(2, context.defaultParallelism)
    found = context.parallelize(range(tasks), tasks).map(lambda _: _look(root, content_hash)).collect()
    executors = len(context._jsc.sc().statusTracker().getExecutorInfos()) - 1  # the driver is one of them
    asked = {executor for _, executor, _ in found}
    elsewhere = {host for host, _, _ in found} != {socket.gethostname()}
    fixed = str(context.getConf().get("spark.dynamicAllocation.enabled", "false")).lower() != "true"
    return all(whole for _, _, whole in found) and len(asked) == executors and (elsewhere or fixed)


def _look(root: Path, content_hash: str) -> tuple[str, str, bool]:
    """The host and the executor that this runs on, and whether the driver's copy is there."""
    from pyspark import SparkFiles

    whole = is_whole(root, content_hash)
    time.sleep(0.05)  # so that each executor takes a task
    return socket.gethostname(), str(Path(SparkFiles.getRootDirectory()).absolute()), whole  # an executor has its own


def _add_toolkit(spark: Any) -> str:
    """Adds this toolkit in the driver's version to the application; gives what tells the application from others."""
    connect = is_connect(spark)
    application = str(spark.session_id) if connect else str(spark.sparkContext.applicationId)
    if (application, TOOLKIT) not in _added:
        toolkit = pack(TOOLKIT_ROOT, scratch_directory("ship") / "spark-models-toolkit.zip", f"{TOOLKIT}/")
        spark.addArtifacts(str(toolkit), pyfile=True) if connect else spark.sparkContext.addPyFile(str(toolkit))
        _added[(application, TOOLKIT)] = toolkit.name
    return application


def add_archive(spark: Any, root: Path, content_hash: str) -> str:
    """Adds a directory, and this toolkit in the driver's version, to the application; gives the archive's name."""
    connect = is_connect(spark)
    application = _add_toolkit(spark)
    if (application, content_hash) not in _added:
        archive = pack(root, scratch_directory("ship") / f"spark-models-{content_hash}.zip")
        spark.addArtifacts(str(archive), file=True) if connect else spark.sparkContext.addFile(str(archive))
        _added[(application, content_hash)] = archive.name
    return _added[(application, content_hash)]


def pack(root: Path, archive: Path, prefix: str = "") -> Path:
    """The directory as a zip archive, stored without compression: models hardly compress, and hosts are waiting."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, strict_timestamps=False) as target:
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if name != IGNORED)
            for name in sorted(files):
                path = Path(folder, name)
                member = zipfile.ZipInfo.from_file(
                    path, prefix + path.relative_to(root).as_posix(), strict_timestamps=False
                )
                # ZipFile.write does the same, eight kilobytes at a time.
                with open(path, "rb") as reader, target.open(member, "w") as writer:
                    shutil.copyfileobj(reader, writer, CHUNK)
    return archive


def unpack(archive: Path, target: Path) -> None:
    """Unpacks an archive of `pack` into an empty directory.

    Raises:
        PathEscapesError: [PATH_ESCAPES] a member leads out of the directory.
        ShipError: [SHIP_FAILED] it is no archive, or unpacks to more than it may.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            members = source.infolist()
            total = sum(member.file_size for member in members)
            if len(members) > MAX_MEMBERS or total > MAX_RATIO * max(archive.stat().st_size, 1):
                raise ShipError(archive.name, "the archive unpacks to more than a package may hold")
            for member in members:
                path = inside(target, member.filename, archive.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                with source.open(member) as reader, open(path, "wb") as writer:
                    shutil.copyfileobj(reader, writer, CHUNK)
                    if member.external_attr >> 16 & stat.S_IXUSR:
                        os.fchmod(writer.fileno(), 0o700)
    except (zipfile.BadZipFile, EOFError) as error:
        raise ShipError(archive.name, f"the archive is damaged ({error})") from error
    except OSError as error:
        if is_full(error):
            raise
        raise ShipError(archive.name, f"it can't be unpacked ({error.strerror or error})") from error


def is_whole(root: Path, content_hash: str) -> bool:
    """Whether a cache entry is at hand and its manifest the wanted one; entries were checked when they were made."""
    try:
        text = read_manifest(root)
        return text is not None and hash_of(text) == content_hash and root.stat().st_uid == os.getuid()
    except OSError:
        return False


def _unpacked(name: str, content_hash: str) -> Path:
    archive = delivered(name)

    def fill(stage: Path) -> None:
        unpack_verified(archive, stage, content_hash)

    return host_entry(content_hash, fill)


def delivered(name: str) -> Path:
    """The archive of that name, as Spark has put it on this host.

    Raises:
        ShipError: [SHIP_FAILED] it is not there.
    """
    from pyspark import SparkFiles

    archive = Path(SparkFiles.get(name))
    if not archive.is_file():
        raise ShipError(name, "Spark has not delivered the archive")
    return archive


def unpack_verified(archive: Path, target: Path, content_hash: str) -> None:
    """Unpacks an archive with a manifest into an empty directory, every byte compared with it.

    Raises:
        ShipError: [SHIP_FAILED] it is no archive, or has no manifest; otherwise as `unpack`.
        ManifestMismatchError, HashMismatchError: it is not what was sent.
    """
    unpack(archive, target)
    if not (target / MANIFEST).is_file():
        raise ShipError(archive.name, "the archive has no manifest")
    verify_manifest(target, content_hash)


def host_entry(key: str, fill: Callable[[Path], None]) -> Path:
    """The entry of this host's cache, filled as `entry` says; in the application's own directory where it has none."""
    try:
        return entry(key, fill)
    except UnsafeCacheError:
        from pyspark import SparkFiles

        # No private cache on this host: the application's own directory is removed with it.
        base = Path(SparkFiles.getRootDirectory()).absolute() / "spark-models"
        base.mkdir(mode=0o700, exist_ok=True)
        return entry(key, fill, base)
