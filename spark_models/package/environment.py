"""The environment files of a package: conda.yaml, python_env.yaml, requirements.txt and constraints.txt."""

from __future__ import annotations

import copy
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spark_models.errors import InvalidEnvironmentError
from spark_models.package.layout import CONDA, CONSTRAINTS, PYTHON_ENV, REQUIREMENTS
from spark_models.package.requirements import Requirements, check_secrets, parse_requirements, project_of
from spark_models.package.yaml_file import dump_yaml, read_yaml

OWN_REQUIREMENT = "spark_models"
"""The line that stands for this package: without a version, as the document writes it."""
CONSTRAINTS_LINE = f"-c {CONSTRAINTS}"

_OWN_PROJECT = "spark-models"
_PYTHON = re.compile(r"(?:\S+::)?python\s*(?:==?|\s)\s*(\d+(?:\.\d+)*)(?:\.\*|\*)?(?:=[\w.*]+)?")


@dataclass(frozen=True, slots=True)
class Environment:
    """What a package needs: the conda environment, and its pip part as lines.

    `requirements` has no `-c` line; `conda` and `requirements.txt` have one where there are constraints.
    `python_version` is the one that `conda` pins, else the running one.
    """

    conda: dict[str, Any]
    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    python_version: str

    def files(self) -> dict[str, str]:
        """The content of each file by its name; no file of lines ends with a newline.

        Raises:
            InvalidYamlError: [INVALID_YAML] the conda environment holds a value that YAML has no plain form for.

        >>> build_environment(default=["scikit-learn==1.5.2"]).files()["requirements.txt"]
        'spark_models\\nscikit-learn==1.5.2'
        """
        files = {
            CONDA: dump_yaml(self.conda),
            PYTHON_ENV: _python_env(self.python_version),
            REQUIREMENTS: "\n".join(_pip_lines(self.requirements, self.constraints)),
        }
        if self.constraints != ():
            files[CONSTRAINTS] = "\n".join(self.constraints)
        return files


def environment_files(
    *,
    default: Sequence[str],
    conda_env: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    pip_requirements: Iterable[str] | str | os.PathLike[str] | None = None,
    extra_pip_requirements: Iterable[str] | str | os.PathLike[str] | None = None,
) -> Mapping[str, str]:
    """The content of each environment file by its name; the arguments and errors are those of `build_environment`.

    A flavor's default environment is made once in the life of the process.
    """
    if conda_env is None and pip_requirements is None and extra_pip_requirements is None:
        return _default_files(tuple(default))
    return build_environment(
        default=default,
        conda_env=conda_env,
        pip_requirements=pip_requirements,
        extra_pip_requirements=extra_pip_requirements,
    ).files()


@lru_cache(maxsize=64)
def _default_files(default: tuple[str, ...]) -> Mapping[str, str]:
    return MappingProxyType(build_environment(default=default).files())


def build_environment(
    *,
    default: Sequence[str],
    conda_env: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    pip_requirements: Iterable[str] | str | os.PathLike[str] | None = None,
    extra_pip_requirements: Iterable[str] | str | os.PathLike[str] | None = None,
) -> Environment:
    """The environment of a package, from what the caller gives or else from the flavor's `default` requirements.

    | given | requirements |
    | --- | --- |
    | nothing | `default` |
    | `pip_requirements` (lines, or the path of a file) | these instead of `default` |
    | `extra_pip_requirements` (same) | `default`, then these |
    | `conda_env` (a dict, or the path of a YAML file) | its pip part; a top-level `pip` is folded into `dependencies` |

    `spark_models` is put first unless a line names it already. What is given is not changed; unknown keys stay.

    Raises:
        InvalidEnvironmentError: [INVALID_ENVIRONMENT] arguments that exclude each other, a missing file, a line that is
            no requirement, or credentials in a URL.
        InvalidYamlError: [INVALID_YAML] the file of `conda_env` is not YAML.
        UnsafeYamlError: [UNSAFE_YAML] the file of `conda_env` is refused; see `parse_yaml`.
    Source: the Models document, "Additional Logged Files".

    >>> build_environment(default=[], pip_requirements=["a", "b==2"]).requirements
    ('spark_models', 'a', 'b==2')
    """
    arguments = {
        "conda_env": conda_env,
        "pip_requirements": pip_requirements,
        "extra_pip_requirements": extra_pip_requirements,
    }
    given = [name for name, value in arguments.items() if value is not None]
    if len(given) > 1:
        raise InvalidEnvironmentError(f"{' and '.join(given)} exclude each other", "arguments", "give one of them")
    if conda_env is not None:
        return _from_conda(conda_env)
    if pip_requirements is not None:
        return _from_lines(parse_requirements(pip_requirements, source="pip_requirements"))
    defaults = parse_requirements(default, source="default requirements")
    if extra_pip_requirements is None:
        return _from_lines(defaults)
    extra = parse_requirements(extra_pip_requirements, source="extra_pip_requirements")
    lines = tuple(dict.fromkeys(defaults.lines + extra.lines))
    return _from_lines(Requirements(lines, tuple(dict.fromkeys(defaults.constraints + extra.constraints))))


@cache
def installed_requirement(distribution: str, *others: str) -> str:
    """`name==version` of an installed distribution, without a local version such as `+cpu`; the bare name of another.

    `others` are distributions that bring the same modules, and stand for it where it is not installed. Remembered for
    the life of the process.

    >>> installed_requirement("no-such-distribution")
    'no-such-distribution'
    """
    # Imported here: it takes longer than the rest of this module.
    from importlib import metadata

    for name in (distribution, *others):
        try:
            return f"{name}=={metadata.version(name).partition('+')[0]}"
        except metadata.PackageNotFoundError:
            continue
    return distribution


def _from_lines(given: Requirements) -> Environment:
    requirements = _with_own(given.lines)
    python_version = _running_python()
    conda = {
        "channels": ["conda-forge"],
        "dependencies": [f"python={python_version}", "pip", {"pip": _pip_lines(requirements, given.constraints)}],
        # The name is the format's; it is kept so that other readers of the format find what they expect.
        "name": "mlflow-env",
    }
    return Environment(conda, requirements, given.constraints, python_version)


def _from_conda(given: Mapping[str, Any] | str | os.PathLike[str]) -> Environment:
    conda, source, folder = _read_conda(given)
    dependencies = _list_at(conda, "dependencies", source)
    pip_part: dict[str, Any] | None = None
    lines: list[Any] = []
    kept: list[Any] = []
    for dependency in dependencies:
        if isinstance(dependency, Mapping) and "pip" in dependency:
            lines += _list_at(dependency, "pip", f"{source}, dependencies")
            # Several pip parts become one, where the first of them stands.
            if pip_part is None:
                pip_part = dict(dependency)
                kept.append(pip_part)
        elif isinstance(dependency, (str, Mapping)):
            kept.append(dependency)
        else:
            problem = f"a dependency is {type(dependency).__name__}; a string or a pip part is expected"
            raise InvalidEnvironmentError(problem, f"{source}, dependencies")
    lines += _list_at(conda, "pip", source)
    if pip_part is None:
        pip_part = {}
        kept.append(pip_part)
    pip = parse_requirements(lines, source=f"{source}, pip", folder=folder)
    requirements = _with_own(pip.lines)
    pip_part["pip"] = _pip_lines(requirements, pip.constraints)
    # In the order of the keys given; dependencies come last where there were none.
    folded = {key: kept if key == "dependencies" else value for key, value in conda.items() if key != "pip"}
    folded["dependencies"] = kept
    return Environment(folded, requirements, pip.constraints, _pinned_python(kept))


def _read_conda(given: object) -> tuple[dict[str, Any], str, Path]:
    """A copy of the conda environment, what to call it in errors, and the folder that its paths are relative to."""
    conda, source, folder = given, "conda_env", Path()
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        if not path.is_file():
            raise InvalidEnvironmentError(f"the conda environment {path} does not exist or is not a file", source)
        conda, source, folder = read_yaml(path), os.fspath(path), path.parent
    if not isinstance(conda, Mapping):
        expected = "a mapping with 'dependencies', or the path of a YAML file that holds one, is expected"
        raise InvalidEnvironmentError(f"it is {type(conda).__name__}; {expected}", source)
    _check_secrets_within(conda, source)
    return copy.deepcopy(dict(conda)), source, folder


def _check_secrets_within(value: Any, source: str) -> None:
    """Channels may hold credentials as well as requirements do."""
    if isinstance(value, str):
        check_secrets(value, source)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_secrets_within(item, f"{source}, {key}")
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_secrets_within(item, source)


def _list_at(owner: Mapping[str, Any], key: str, source: str) -> list[Any]:
    """A copy of the list at a key that may be absent or left empty."""
    value = owner.get(key)
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise InvalidEnvironmentError(f"'{key}' is {type(value).__name__}; a list is expected", source)
    return list(value)


def _with_own(lines: tuple[str, ...]) -> tuple[str, ...]:
    named = any(project_of(line) == _OWN_PROJECT for line in lines)
    return lines if named else (OWN_REQUIREMENT, *lines)


def _pip_lines(requirements: tuple[str, ...], constraints: tuple[str, ...]) -> list[str]:
    return [*requirements] if constraints == () else [*requirements, CONSTRAINTS_LINE]


def _running_python() -> str:
    # Not platform.python_version(): a release candidate or a local build has no conda package.
    return ".".join(map(str, sys.version_info[:3]))


def _pinned_python(dependencies: list[Any]) -> str:
    for dependency in dependencies:
        match = _PYTHON.fullmatch(dependency) if isinstance(dependency, str) else None
        if match is not None:
            return match[1]
    return _running_python()


@lru_cache(maxsize=16)
def _python_env(python_version: str) -> str:
    """What MLflow 2 and 3 recreate a virtualenv from."""
    return dump_yaml(
        {
            "python": python_version,
            "build_dependencies": [installed_requirement(name) for name in ("pip", "setuptools", "wheel")],
            "dependencies": [f"-r {REQUIREMENTS}"],
        }
    )
