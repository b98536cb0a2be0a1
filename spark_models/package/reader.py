"""`Package`: a package opened for reading. Nothing of it is run or unpickled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_models.errors import FlavorNotFoundError, InvalidMLmodelError
from spark_models.package.layout import MLMODEL, PYFUNC, SCORED
from spark_models.package.manifest import content_hash, package_files, verify_manifest
from spark_models.package.mlmodel import Model, html_table
from spark_models.store.paths import inside
from spark_models.store.uris import local_path


@dataclass(frozen=True, slots=True)
class Package:
    """The directory of a package, the URI it came by, and its MLmodel."""

    root: Path
    uri: str
    model: Model

    def flavor(self, name: str) -> Mapping[str, Any]:
        """The attributes of a flavor.

        Raises:
            FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model has not this flavor.
        """
        if name not in self.model.flavors:
            raise FlavorNotFoundError(name, tuple(sorted(self.model.flavors)), str(self.root))
        return self.model.flavors[name]

    @property
    def pyfunc(self) -> Mapping[str, Any]:
        """The attributes of the `python_function` flavor, or what stands in for it where R wrote the package.

        Raises:
            FlavorNotFoundError: [FLAVOR_NOT_FOUND] nothing in Python scores it.
        """
        if PYFUNC not in self.model.flavors:
            for name, conf in SCORED.items():
                if name in self.model.flavors:
                    return conf
        return self.flavor(PYFUNC)

    def path(self, relative: object) -> Path:
        """The path of a file that the MLmodel names.

        Raises:
            PathEscapesError: [PATH_ESCAPES] it leads out of the package.
            InvalidMLmodelError: [INVALID_MLMODEL] it is no path, or there is no such file.
        """
        if not isinstance(relative, str):
            raise InvalidMLmodelError(str(self.root / MLMODEL), f"a path is expected, not {type(relative).__name__}")
        found = inside(self.root, relative, str(self.root / MLMODEL))
        if not found.exists():
            raise InvalidMLmodelError(str(self.root / MLMODEL), f"it names {relative!r}, which is not in the package")
        return found

    def content_hash(self) -> str:
        """The content hash by the manifest; the files themselves are not read where there is one."""
        return content_hash(self.root)

    def verify(self, expected_hash: str | None = None) -> str:
        """The content hash, every file checked against the manifest and the hash against `expected_hash`."""
        return verify_manifest(self.root, expected_hash)

    def files(self) -> dict[str, int]:
        """The size of every file, in bytes, by its path."""
        return {name: path.stat().st_size for name, path in package_files(self.root)}

    def _repr_html_(self) -> str:
        return html_table([("package", self.uri), *self.model.facts()])


def open_package(uri: str | os.PathLike[str]) -> Package:
    """The package at a model URI, or whose MLmodel file it names, opened and not loaded.

    Raises:
        ModelNotFoundError: [MODEL_NOT_FOUND] nothing is there.
        NotAModelError: [NOT_A_MODEL] it has no MLmodel file.
        InvalidMLmodelError: [INVALID_MLMODEL], InvalidYamlError: [INVALID_YAML] the file is broken.
    """
    found = local_path(uri)
    root = found.parent if found.name == MLMODEL and found.is_file() else found
    return Package(root, os.fspath(uri), Model.load(root))
