"""The package cache of this host: one directory a content hash, checked on the way in and loaded from there.

An entry is written beside its final name under a lock and renamed when every byte was hashed, so what is found under
a hash is complete. The cache belongs to one user: mode 0700, owner checked, links not followed.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from spark_models.errors import UnsafeCacheError

CACHE_VARIABLE = "SPARK_MODELS_CACHE"
"""The environment variable that names the cache; else `spark-models` under `XDG_CACHE_HOME` or `~/.cache`."""


def cache_root() -> Path:
    """The cache directory, created with mode 0700 where it is absent.

    Raises:
        UnsafeCacheError: [UNSAFE_CACHE] it is a link, belongs to somebody else, or others may write to it.
    """
    named = os.environ.get(CACHE_VARIABLE)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    root = Path(named) if named else Path(base) / "spark-models"
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        root.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UnsafeCacheError(str(root), f"it can't be created ({error.strerror})") from error
    _check_private(root)
    return root


def _check_private(root: Path) -> None:
    status = os.lstat(root)
    if not stat.S_ISDIR(status.st_mode):
        raise UnsafeCacheError(str(root), "it is a link or no directory")
    if status.st_uid != os.getuid():
        raise UnsafeCacheError(str(root), "it belongs to another user")
    if status.st_mode & 0o022 != 0:
        raise UnsafeCacheError(str(root), "others may write to it")


def entry(content_hash: str, fill: Callable[[Path], None], root: Path | None = None) -> Path:
    """The directory of a content hash; where it is absent, `fill` writes it into an empty directory first.

    `fill` must check what it writes against the hash and raise if it differs: then nothing is kept. Two processes
    that want the same entry wait for each other, and one of them fills it.

    Raises:
        UnsafeCacheError: [UNSAFE_CACHE] the cache directory is not private.
    """
    base = cache_root() if root is None else root
    final = base / content_hash
    if final.is_dir():
        return final
    with _locked(base / f".{content_hash}.lock"):
        if final.is_dir():
            return final
        stage = Path(tempfile.mkdtemp(prefix=f".{content_hash[:12]}-", dir=base))
        try:
            fill(stage)
            os.rename(stage, final)
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise
    return final


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def scratch_directory(purpose: str) -> Path:
    """A new private directory that is removed when this process ends."""
    path = Path(tempfile.mkdtemp(prefix=f"spark-models-{purpose}-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
