"""Modules that a package carries, on the import path of this process."""

from __future__ import annotations

import sys
from pathlib import Path

from spark_models.errors import ModuleConflictError
from spark_models.package.manifest import file_hash

_brought: dict[str, tuple[tuple[str, str], ...]] = {}
"""The modules that packages have brought: when the next package comes, the file of a loaded one may be gone."""


def import_path(code: Path, source: str) -> None:
    """Puts a package's code folder first on `sys.path`.

    Raises:
        ModuleConflictError: [MODULE_CONFLICT] a module of that name is loaded already, with other content. Python holds
            one module a name, so the second model would run the first one's code.
    """
    names = {item.stem: item for item in code.iterdir() if item.suffix == ".py"}
    names.update({item.name: item for item in code.iterdir() if item.is_dir() and item.name != "__pycache__"})
    conflicts = tuple(name for name, item in sorted(names.items()) if _differs(name, item))
    if conflicts != ():
        raise ModuleConflictError(conflicts, source)
    _brought.update({name: _digest(item) for name, item in names.items()})
    if str(code) not in sys.path:
        sys.path.insert(0, str(code))


def leave_path(code: Path) -> None:
    """Takes a folder from `sys.path` again: that of a package which is moved. Modules that were loaded stay."""
    sys.path[:] = [entry for entry in sys.path if entry != str(code)]


def _differs(name: str, carried: Path) -> bool:
    loaded = sys.modules.get(name)
    if loaded is None:
        return False
    file = getattr(loaded, "__file__", None)
    if file is None:
        return carried.is_dir() and _namespace_differs(name, carried)
    path = Path(file)
    if not path.is_file():
        return name in _brought and _brought[name] != _digest(carried)
    if not carried.is_dir():
        return file_hash(path) != file_hash(carried)
    return path.name != "__init__.py" or _digest(path.parent) != _digest(carried)


def _namespace_differs(name: str, carried: Path) -> bool:
    """Whether a folder without `__init__.py`, which Python merges with its namesakes, has a module loaded otherwise."""
    for path in carried.rglob("*.py"):
        module = ".".join([name, *path.relative_to(carried).with_suffix("").parts]).removesuffix(".__init__")
        file = getattr(sys.modules.get(module), "__file__", None)
        if file is not None and Path(file).is_file() and file_hash(Path(file)) != file_hash(path):
            return True
    return False


def _digest(module: Path) -> tuple[tuple[str, str], ...]:
    """What tells a module from another of its name: the hash of its file, or of each Python file of its folder."""
    files = sorted(module.rglob("*.py")) if module.is_dir() else [module]
    return tuple((path.relative_to(module).as_posix(), file_hash(path)) for path in files)
