"""`update-requirements`: lines of a package's requirements added, replaced or taken out."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from spark_models.cli.manifest import changeable
from spark_models.cli.manifest import update as update_manifest
from spark_models.errors import InvalidArgumentError, listed
from spark_models.package.environment import Environment, build_environment
from spark_models.package.layout import CONDA, CONSTRAINTS, REQUIREMENTS
from spark_models.package.requirements import parse_requirements, project_of
from spark_models.package.yaml_file import dump_yaml


def update(uri: str, given: tuple[str, ...], remove: bool) -> str:
    """What was done, after the files were written.

    Raises:
        InvalidEnvironmentError: [INVALID_ENVIRONMENT] a line is no requirement, or the package's files are broken.
        InvalidArgumentError: [INVALID_ARGUMENT] what is to be removed is not there.
        UnsupportedUriError: [UNSUPPORTED_URI] the URI is of no directory of this host.
    """
    root = changeable(uri).root
    changes = parse_requirements(given, source="arguments").lines
    named = {project_of(line): line for line in changes}
    before = parse_requirements(root / REQUIREMENTS, source=str(root))
    present = {project_of(line) for line in before.lines}
    if remove and not named.keys() <= present:
        absent = [str(name) for name in named if name not in present]
        raise InvalidArgumentError(f"The package does not require {listed(absent)}")
    kept = [line for line in before.lines if remove is False or project_of(line) not in named]
    lines = kept if remove else [named.get(project_of(line), line) for line in kept]
    lines += [] if remove else [line for name, line in named.items() if name not in present]
    made = _environment(root, lines).files()
    for name in (REQUIREMENTS, CONDA):
        # Written beside and renamed: a package is never seen with half a file.
        stage = root / f".{name}.new"
        stage.write_text(made[name], encoding="utf-8")
        os.replace(stage, root / name)
    return update_manifest(uri)


def _environment(root: Path, lines: list[str]) -> Environment:
    """The package's environment with these requirements: what else its conda.yaml says stays."""
    constrained = [f"-c {CONSTRAINTS}"] if (root / CONSTRAINTS).is_file() else []
    if not (root / CONDA).is_file():
        located = [f"-c {root / CONSTRAINTS}"] if constrained != [] else []
        return build_environment(default=[], pip_requirements=[*lines, *located])
    conda = build_environment(default=[], conda_env=root / CONDA).conda
    others = [item for item in conda["dependencies"] if not isinstance(item, dict)]
    changed = {**conda, "dependencies": [*others, {"pip": [*lines, *constrained]}]}
    with tempfile.TemporaryDirectory() as folder:
        # Read from a file, a relative `-c` line is found beside it.
        path = Path(folder, CONDA)
        path.write_text(dump_yaml(changed), encoding="utf-8")
        if constrained != []:
            shutil.copy(root / CONSTRAINTS, folder)
        return build_environment(default=[], conda_env=path)
