"""`PackageWriter`: a package built in a staging directory and put in place whole, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from spark_models.errors import InvalidArgumentError, ModelPathExistsError
from spark_models.package.environment import environment_files
from spark_models.package.example import save_example, save_predictions
from spark_models.package.layout import CODE, CONDA, EXAMPLE_PREDICTIONS, MLMODEL, PYFUNC
from spark_models.package.manifest import write_manifest
from spark_models.package.mlmodel import Model
from spark_models.schema.signature import ModelSignature
from spark_models.store.uris import saved_path

PathLike = str | os.PathLike[str]


class PackageWriter:
    """The context in which a flavor writes its files into `root`.

    On leaving without an error it writes the environment, `MLmodel` and the manifest and renames the staging directory
    to `path`. With an error nothing stays behind.

    Raises:
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
        UnsupportedUriError: [UNSUPPORTED_URI] `path` is a URI, and not of this host's files.
        InvalidEnvironmentError: [INVALID_ENVIRONMENT] the environment arguments contradict each other.
    """

    def __init__(
        self,
        path: PathLike,
        *,
        requirements: Sequence[str],
        model: Model | None = None,
        signature: ModelSignature | None = None,
        metadata: Mapping[str, Any] | None = None,
        conda_env: Mapping[str, Any] | PathLike | None = None,
        pip_requirements: Sequence[str] | PathLike | None = None,
        extra_pip_requirements: Sequence[str] | PathLike | None = None,
        code_paths: Sequence[PathLike] | None = None,
    ) -> None:
        self.path = saved_path(path)
        self.model = Model() if model is None else model
        if signature is not None and not isinstance(signature, ModelSignature):
            raise InvalidArgumentError(
                f"'signature' must be a ModelSignature, not {type(signature).__name__}",
                "make one with spark_models.models.infer_signature(model_input, model_output)",
            )
        if signature is not None:
            self.model.signature = signature
        if metadata is not None:
            self.model.other["metadata"] = dict(metadata)
        if self.model.databricks_runtime is None:
            self.model.databricks_runtime = os.environ.get("DATABRICKS_RUNTIME_VERSION") or None
        self._environment_files = environment_files(
            default=requirements,
            conda_env=conda_env,
            pip_requirements=pip_requirements,
            extra_pip_requirements=extra_pip_requirements,
        )
        self._sums: dict[str, str] = {}
        self._code_paths = [Path(item) for item in code_paths or ()]
        for item in self._code_paths:
            if not item.exists():
                raise InvalidArgumentError(f"The code path {str(item)!r} does not exist")

    def __enter__(self) -> PackageWriter:
        if not _is_free(self.path):
            raise ModelPathExistsError(str(self.path))
        # A link to an empty directory stays, and the package becomes what it leads to.
        self._target = self.path.resolve() if self.path.is_symlink() else self.path
        self.root = self._target.parent / f".{self._target.name}.{uuid.uuid4().hex}"
        self._made = [folder for folder in self._target.parents if not folder.exists()]
        try:
            self.root.mkdir(parents=True)
            for item in self._code_paths:
                copy_into(item, self.root / CODE)
        except BaseException:
            self._clear()
            raise
        return self

    def _clear(self) -> None:
        """Removes the staging directory and the folders above it that were made for it and are still empty."""
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()

    @property
    def code(self) -> str | None:
        """The folder of the package's own code, as a flavor's entry names it; None without `code_paths`."""
        return CODE if self._code_paths != [] else None

    def add_flavor(self, name: str, **attributes: Any) -> None:
        """Adds a flavor's entry; attributes that are None are left out."""
        self.model.add_flavor(name, **{key: value for key, value in attributes.items() if value is not None})

    def add_pyfunc(self, loader_module: str, **attributes: Any) -> None:
        """Adds the `python_function` flavor: loader, environment, code folder, Python version, other attributes."""
        from platform import python_version

        self.add_flavor(
            PYFUNC,
            loader_module=loader_module,
            python_version=python_version(),
            env=CONDA,
            code=self.code,
            **attributes,
        )

    def add_example(self, example: Any, predict: Callable[[Any], Any] | None = None) -> None:
        """Stores the input example and, by `predict`, the predictions on it."""
        if example is None:
            return
        self.model.saved_input_example_info = save_example(example, self.root)
        if predict is not None:
            predictions = predict(self.model.load_input_example(self.root))
            self.model.example_predictions = save_predictions(predictions, self.root / EXAMPLE_PREDICTIONS)

    def write_mlmodel(self) -> None:
        """Writes `MLmodel` and the environment files as they stand, so that the staged package can be loaded."""
        for name, text in {**self._environment_files, MLMODEL: self.model.to_yaml()}.items():
            content = text.encode()
            with open(self.root / name, "wb", buffering=0) as stream:
                stream.write(content)
            self._sums[name] = hashlib.sha256(content).hexdigest()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.write_mlmodel()
                for folder in list(self.root.rglob("__pycache__")) if self.code is not None else ():
                    shutil.rmtree(folder)
                write_manifest(self.root, self._sums)
                # rename replaces an empty directory, and fails if another process has put files there meanwhile.
                os.rename(self.root, self._target)
        except OSError as failure:
            if not _is_free(self.path):
                raise ModelPathExistsError(str(self.path)) from failure
            raise
        finally:
            self._clear()


def _is_free(path: Path) -> bool:
    """Whether a package may be put there: nothing is, or an empty directory."""
    return not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir()))


def copy_into(source: Path, folder: Path) -> Path:
    """Copies a file or folder into `folder` under its own name, links followed, caches left out; gives the copy.

    A source that `folder` itself lies in is copied without it, as `code_paths=["."]` is into a model saved there.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] something of that name was copied already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source.resolve().name
    if target.exists():
        raise InvalidArgumentError(f"Two files named {target.name!r} are to be packaged in the same folder")
    if source.is_dir():
        caches = shutil.ignore_patterns("__pycache__", "*.pyc", ".git")
        within = folder.resolve()

        def left_out(parent: str, names: list[str]) -> set[str]:
            around = {name for name in names if within.is_relative_to(Path(parent, name).resolve())}
            return caches(parent, names) | around

        shutil.copytree(source, target, ignore=left_out)
    else:
        shutil.copyfile(source, target)
    return target
