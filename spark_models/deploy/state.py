"""State on disk: a private directory for each deployment, files that are written whole, and locks."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spark_models.errors import InvalidArgumentError

STATE_VARIABLE = "SPARK_MODELS_DEPLOYMENTS"
"""The environment variable that names the directory of deployments on this host."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def state_home() -> Path:
    """The directory of this user's deployments, absolute; it need not exist."""
    given = os.environ.get(STATE_VARIABLE)
    if given:
        return Path(given).absolute()
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(base).absolute() / "spark-models" / "deployments"


def checked_name(name: str, pattern: re.Pattern[str] = _NAME, rule: str = "") -> str:
    """The name of a deployment, if it can be one.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] it can't.

    >>> checked_name("churn-2")
    'churn-2'
    """
    if pattern.fullmatch(name) is None:
        advice = rule or "use letters, digits, '.', '_' and '-', at most 63, a letter or digit first and last"
        raise InvalidArgumentError(f"{name[:80]!r} can't be the name of a deployment", advice)
    return name


def private_directory(path: Path) -> Path:
    """The directory, made with the mode 0700 where it is not there.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] it is another user's, or others may write to it: packages are code.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = path.lstat()
    problem = ""
    if not stat.S_ISDIR(found.st_mode):
        problem = "it is a link"
    elif found.st_uid != os.geteuid():
        problem = "it belongs to another user"
    elif found.st_mode & 0o022 != 0:
        problem = "others may write to it"
    if problem != "":
        advice = f"set {STATE_VARIABLE} to a directory of your own with mode 0700"
        raise InvalidArgumentError(f"The directory {path} can't hold deployments: {problem}", advice)
    return path


def write_json(path: Path, value: Any) -> None:
    """Writes a file that only its owner reads: the whole of it, or nothing."""
    stage = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(stage, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(stage, path)


def read_json(path: Path) -> Any:
    """What `write_json` wrote; None where there is no file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock on the file `path`, which is made, until the block ends; waits for whoever has it.

    Whoever holds it may remove the file: who waited for that one takes the next.
    """
    while True:
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if not _is_at(path, stream.fileno()):
                continue
            yield
            return


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def is_held(path: Path) -> bool:
    """Whether a process holds a lock on a file: it, or one that inherited the open file."""
    try:
        stream = open(path, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return False
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False
