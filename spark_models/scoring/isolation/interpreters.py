"""The Python of a version on this host: an environment has packages of its own, and borrows the interpreter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Run by the candidate. A virtual environment names the Python that it was made from.
_PROBE = """
import json, os, sys, sysconfig
name = "python%d.%d" % sys.version_info[:2]
bases = [sys.base_prefix + "/bin/" + name, getattr(sys, "_base_executable", ""), os.path.realpath(sys.executable)]
base = next(path for path in bases + [sys.executable] if os.path.isfile(path))
kind = "-".join([sysconfig.get_platform(), sys.implementation.cache_tag + sys.abiflags])
print(json.dumps([base, "%d.%d" % sys.version_info[:2], kind]))
"""
_PROBE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python: its executable, not one of a virtual environment; "3.11"; and what packages must be built for."""

    executable: str
    version: str
    kind: str


def minor_version(version: str) -> str:
    """Major and minor of a version: packages are built for these.

    >>> minor_version("3.11.7")
    '3.11'
    """
    return ".".join(version.split(".")[:2])


def find_interpreter(version: str, known: Iterable[str] = (), kind: str | None = None) -> Interpreter | None:
    """The first Python of that major.minor version among `known` executables, the running one, PATH and uv's; or None.

    `kind` asks for one that packages of that kind are for. A name on PATH may be a shim that fails: only running it
    tells.
    """
    for executable in _candidates(version, known):
        found = _probed(executable)
        if found is not None and found.version == version and kind in (None, found.kind):
            return found
    return None


def find_uv() -> str | None:
    """The executable of uv: beside the running Python, else on PATH."""
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    return beside if os.access(beside, os.X_OK) else shutil.which("uv")


def _candidates(version: str, known: Iterable[str]) -> Iterator[str]:
    yield from known
    if version == minor_version(sys.version):
        yield sys.executable
    for folder in os.get_exec_path():
        candidate = os.path.join(folder, f"python{version}")
        if os.access(candidate, os.X_OK):
            yield candidate
    uv = find_uv()
    if uv is not None:
        said = _output([uv, "python", "find", "--no-python-downloads", "--no-project", "--system", version])
        if said is not None:
            yield said.strip()


def _probed(executable: str) -> Interpreter | None:
    said = _output([executable, "-I", "-c", _PROBE])
    if said is None:
        return None
    try:
        return Interpreter(*json.loads(said))
    except (ValueError, TypeError):
        return None


def _output(command: list[str]) -> str | None:
    """What a command prints; None where it fails or can't be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
