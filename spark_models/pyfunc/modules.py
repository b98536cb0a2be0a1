"""Modules that a package carries, on the import path of this process."""

from __future__ import annotations

import sys
from pathlib import Path

from spark_models.errors import ModuleConflictError
from spark_models.package.manifest import file_hash


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
    if str(code) not in sys.path:
        sys.path.insert(0, str(code))


def _differs(name: str, carried: Path) -> bool:
    loaded = sys.modules.get(name)
    if loaded is None:
        return False
    file = getattr(loaded, "__file__", None)
    if carried.is_dir():
        folder = None if file is None else Path(file).parent
        return folder is not None and folder.is_dir() and folder.name == name and not _same_folder(folder, carried)
    return file is not None and Path(file).is_file() and file_hash(Path(file)) != file_hash(carried)


def _same_folder(left: Path, right: Path) -> bool:
    def content(folder: Path) -> dict[str, str]:
        return {path.relative_to(folder).as_posix(): file_hash(path) for path in sorted(folder.rglob("*.py"))}

    return content(left) == content(right)
