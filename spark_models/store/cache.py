"""The package cache of this host: one directory a content hash, checked on the way in and loaded from there.

An entry is written beside its final name under a lock and renamed when every byte was hashed, so what is found under
a hash is complete. The cache belongs to one user: mode 0700, owner checked, links not followed.

| file | what |
| --- | --- |
| `<name>/` | an entry: a package by its content hash, or whatever else is made once a host |
| `.<name>.lock` | locked by whoever fills or removes the entry |
| `.<name>.use.lock` | locked, shared, by each process that uses the entry; holds its size; touched by each use |
| `.<name>.<random>/` | an entry that is being filled or removed |

The cache is bounded: when an entry was added, those go that were not used for longest and that no process holds.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from spark_models.errors import CacheFullError, InvalidArgumentError, UnsafeCacheError

CACHE_VARIABLE = "SPARK_MODELS_CACHE"
"""The environment variable that names the cache; else `spark-models` under `XDG_CACHE_HOME` or `~/.cache`."""

LIMIT_VARIABLE = "SPARK_MODELS_CACHE_BYTES"
"""The environment variable that bounds the cache: a number of bytes, or with a unit as `500MB` or `2GiB`."""

DEFAULT_LIMIT = 20 * 2**30

LEFTOVER_SECONDS = 24 * 3600
"""After this time the unfinished directory of a process that has gone is removed."""

_UNITS = {"": 1, "b": 1, **{f"{unit}b": 1000**power for power, unit in enumerate("kmgt", 1)}}
_UNITS |= {f"{unit}ib": 1024**power for power, unit in enumerate("kmgt", 1)}

_held: dict[str, int] = {}
"""The descriptors of the use locks of this process, by the entry's path."""

_guard = threading.RLock()


def cache_root() -> Path:
    """The cache directory, created with mode 0700 where it is absent.

    Raises:
        UnsafeCacheError: [UNSAFE_CACHE] it is a link, belongs to somebody else, or others may write to it.
    """
    named = os.environ.get(CACHE_VARIABLE)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    root = (Path(named) if named else Path(base) / "spark-models").absolute()
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


def cache_limit() -> int:
    """How many bytes the cache may hold, by `SPARK_MODELS_CACHE_BYTES`; 20 GiB where it is not set.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] the variable is no size.
    """
    text = os.environ.get(LIMIT_VARIABLE, "").strip()
    return DEFAULT_LIMIT if text == "" else parse_size(text, LIMIT_VARIABLE)


def parse_size(text: str, source: str) -> int:
    """The bytes that a text like `500MB`, `2GiB`, `1.5 gb` or `1048576` says.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] it says none.

    >>> parse_size("500MB", "limit"), parse_size("2GiB", "limit"), parse_size("1048576", "limit")
    (500000000, 2147483648, 1048576)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower(), re.ASCII)
    if match is None or match.group(2) not in _UNITS:
        raise InvalidArgumentError(
            f"{source}={text!r} is no size", "write a number of bytes, or one with a unit: 500MB, 20GiB"
        )
    return int(float(match.group(1)) * _UNITS[match.group(2)])


def entry(name: str, fill: Callable[[Path], None], root: Path | None = None) -> Path:
    """The directory of an entry, held by this process; where it is absent, `fill` writes it into an empty one first.

    `name` is a content hash, or a word and a hash of what the entry is made of. `fill` must check what it writes
    against the hash and raise if it differs: then nothing is kept. Two processes that want the same entry wait for each
    other, and one of them fills it. Other entries are removed if the cache has become too large; held ones stay.

    Raises:
        UnsafeCacheError: [UNSAFE_CACHE] the cache directory is not private.
        CacheFullError: [CACHE_FULL] the entry does not fit on the disk.
        InvalidArgumentError: [INVALID_ARGUMENT] the cache's bound is no size.
    """
    base = cache_root() if root is None else root
    limit = cache_limit()
    final = base / name
    if hold(final):
        return final
    try:
        with _locked(base / f".{name}.lock"):
            if hold(final):
                return final
            _fill(final, fill)
            # While the first lock is ours nobody removes the entry, so it is there when the second is.
            hold(final, _size(final))
    except OSError as error:
        if is_full(error):
            raise CacheFullError(str(base), os.strerror(error.errno or errno.ENOSPC)) from error
        raise
    with contextlib.suppress(OSError):  # a cache that can't be tidied is still a cache
        _evict(base, limit)
    return final


def is_full(error: OSError) -> bool:
    """Whether the system says that a disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _fill(final: Path, fill: Callable[[Path], None]) -> None:
    stage = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    try:
        fill(stage)
        os.rename(stage, final)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


def hold(path: Path, size: int | None = None) -> bool:
    """Keeps an entry from being removed while this process lives, or until `release`; false where it is absent.

    In a cache that may only be read, or has no room for the lock, the entry is used without one.
    """
    with _guard:
        lock = path.with_name(f".{path.name}.use.lock")
        descriptor = _held.get(str(path))
        if descriptor is None or not path.is_dir():
            release(path)
            if size is None and not path.is_dir():
                return False
            try:
                descriptor = _acquired(lock, fcntl.LOCK_SH)
            except OSError as error:
                if is_full(error) or error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                    return path.is_dir()
                raise
            if not path.is_dir():
                os.close(descriptor)
                return False
            _held[str(path)] = descriptor
        with contextlib.suppress(OSError):  # both only help to choose what goes first
            if size is not None:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(size).encode(), 0)
            os.utime(descriptor)
        return True


def release(path: Path) -> None:
    """Lets go of an entry that this process held; nothing where it did not."""
    with _guard:
        descriptor = _held.pop(str(path), None)
        if descriptor is not None:
            os.close(descriptor)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = _acquired(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquired(path: Path, mode: int) -> int:
    """The descriptor of a lock file, locked. The file may be removed by another's lock: then the next one is taken."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, mode)
            if _is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


# --- eviction


def _evict(base: Path, limit: int) -> None:
    """Removes entries, least recently used first, until the cache is within its bound, and what crashed fills left."""
    doomed: list[Path] = []
    # One process at a time: two would each make the same room.
    with _locked(base / ".evict.lock"):
        doomed.extend(_leftovers(base))
        entries = sorted((_last_use(path), path.name, entry_size(path)) for path in base.iterdir() if _is_entry(path))
        total = sum(size for _, _, size in entries)
        for _, name, size in entries:
            if total <= limit:
                break
            moved = _moved_away(base / name)
            if moved is not None:
                doomed.append(moved)
                total -= size
    for path in doomed:
        shutil.rmtree(path, ignore_errors=True)


def _is_entry(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_dir() and not path.is_symlink()


def _last_use(path: Path) -> float:
    for candidate in (path.with_name(f".{path.name}.use.lock"), path):
        with contextlib.suppress(OSError):
            return candidate.stat().st_mtime
    return 0.0


def entry_size(path: Path) -> int:
    """The size that was noted when the entry was added; counted where that is missing."""
    try:
        return int(path.with_name(f".{path.name}.use.lock").read_text())
    except (OSError, ValueError):
        return _size(path)


def _size(path: Path) -> int:
    """The bytes that the files below a directory take; a file that vanishes meanwhile takes none."""
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def _moved_away(path: Path) -> Path | None:
    """The entry under a name that nobody looks for, its lock files removed; None where a process has it."""
    locks = [path.with_name(f".{path.name}.lock"), path.with_name(f".{path.name}.use.lock")]
    with contextlib.ExitStack() as stack:
        try:
            for lock in locks:
                stack.callback(os.close, _acquired(lock, fcntl.LOCK_EX | fcntl.LOCK_NB))
            target = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            os.rename(path, target)
            for lock in reversed(locks):
                lock.unlink()
        except OSError:
            return None
    return target


def _leftovers(base: Path) -> Iterator[Path]:
    """Directories of fills and removals that have ended without renaming or removing them."""
    oldest = time.time() - LEFTOVER_SECONDS
    for path in base.iterdir():
        if not path.name.startswith(".") or path.is_symlink() or not path.is_dir():
            continue
        name = path.name[1:].rpartition(".")[0]
        with contextlib.suppress(OSError):
            if name != "" and path.stat().st_mtime < oldest:
                # A fill may take more than a day: then it has this lock.
                os.close(_acquired(base / f".{name}.lock", fcntl.LOCK_EX | fcntl.LOCK_NB))
                yield path


def scratch_directory(purpose: str) -> Path:
    """A new private directory that is removed when this process ends."""
    path = Path(tempfile.mkdtemp(prefix=f"spark-models-{purpose}-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
