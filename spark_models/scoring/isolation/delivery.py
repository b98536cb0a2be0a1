"""An environment on every host of a Spark application, as `place` brings packages there."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_models.errors import CodeNotAllowedError, ShipError
from spark_models.package.audit import code_allowed
from spark_models.package.reader import Package
from spark_models.scoring.isolation.environments import FILES, build, link, python_of, recipe_of
from spark_models.scoring.isolation.interpreters import Interpreter, find_interpreter
from spark_models.scoring.place import add_archive, delivered, host_entry, is_local, is_whole, unpack_verified
from spark_models.store.cache import hold


@dataclass(frozen=True, slots=True)
class EnvironmentRef:
    """Where a worker finds an environment: the hash of its files, the driver's entry, and the archive.

    `interpreter` is the driver's: a host needs one of the same version and kind, here or elsewhere.
    """

    content_hash: str
    driver_root: str
    interpreter: Interpreter
    archive: str | None = None

    def python(self) -> Path:
        """The environment's Python on this host, unpacked by the first worker that asks.

        Raises:
            ShipError: [SHIP_FAILED] the archive can't be used, or this host has no Python that fits.
        """
        root = Path(self.driver_root)
        if is_whole(root / FILES, self.content_hash) and os.access(python_of(root), os.X_OK) and hold(root):
            return python_of(root)
        if self.archive is None:
            raise ShipError(self.content_hash[:12], f"{self.driver_root} is not on this host")
        return self._unpacked(self.archive)

    def _unpacked(self, name: str) -> Path:
        wanted = self.interpreter
        interpreter = find_interpreter(wanted.version, [wanted.executable, sys.executable], wanted.kind)
        if interpreter is None:
            needed = f"Python {wanted.version} ({wanted.kind})"
            raise ShipError(name, f"its environment needs {needed} on every host, and here is none on PATH")
        archive = delivered(name)

        def fill(stage: Path) -> None:
            (stage / FILES).mkdir()
            unpack_verified(archive, stage / FILES, self.content_hash)
            link(stage, interpreter)

        # Hosts that share a cache may have their interpreters in different places.
        key = hashlib.sha256(f"{self.content_hash} {interpreter.executable}".encode()).hexdigest()
        return python_of(host_entry(f"env-{key}", fill))


def place_environment(spark: Any, package: Package, manager: str, allow_code: bool | None = None) -> EnvironmentRef:
    """Builds a package's environment on the driver and puts it where the workers of a session find it.

    Raises:
        CodeNotAllowedError: [CODE_NOT_ALLOWED] code of packages may not run; installing one may.
        EnvironmentNotBuiltError: [ENVIRONMENT_NOT_BUILT] it can't be built.
        InvalidEnvironmentError: [INVALID_ENVIRONMENT] the package's own files of it are broken.
    """
    if not code_allowed(allow_code):
        raise CodeNotAllowedError(str(package.root), ("its requirements are installed, which may run their code",))
    built = build(recipe_of(package, manager))
    archive = None if is_local(spark) else add_archive(spark, built.root / FILES, built.content_hash)
    return EnvironmentRef(built.content_hash, str(built.root), built.interpreter, archive)
