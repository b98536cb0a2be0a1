"""A package's environment: its requirements, this toolkit among them, installed once on the driver.

An entry of the cache holds two folders. `files` are the installed packages, with a manifest as a package has one: they
travel. `venv` makes a virtual environment of them on this host, by links to them and to an interpreter of this host:
it is made where it is used, so no link of an archive is ever followed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spark_models.errors import EnvironmentNotBuiltError, InvalidArgumentError, InvalidEnvironmentError
from spark_models.package.environment import build_environment
from spark_models.package.layout import CONDA, PYTHON_ENV, REQUIREMENTS
from spark_models.package.manifest import hash_of, parse_manifest, read_manifest, write_manifest
from spark_models.package.reader import Package
from spark_models.package.requirements import parse_requirements, project_of
from spark_models.package.yaml_file import read_yaml
from spark_models.scoring.isolation.interpreters import Interpreter, find_interpreter, find_uv, minor_version
from spark_models.scoring.isolation.wheel import Wheel, write_wheel
from spark_models.store.cache import entry

ENV_MANAGERS = ("local", "virtualenv", "uv")
FILES = "files"
VENV = "venv"

TAIL = 20
"""How many lines of an installer's output an error shows."""

_MISLEADING = ("VIRTUAL_ENV", "CONDA_PREFIX", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "UV_SYSTEM_PYTHON", "UV_TARGET")
_OWN = "spark-models"
_OLDEST = (3, 10)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an environment is made from; `manager` is "virtualenv" (venv and pip) or "uv".

    Neither requirements nor constraints name this toolkit: `extras` are those of its line ("[sklearn]"). `folder` is
    what relative paths are relative to, and `content_hash` that of the package where there are such paths.
    """

    manager: str
    python: str
    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    extras: str
    folder: str
    content_hash: str = ""

    def key(self, wheel: Wheel, interpreter: Interpreter) -> str:
        """The name of the environment: the same recipe, toolkit and interpreter share one."""
        parts = [self.manager, self.requirements, self.constraints, self.extras, self.content_hash]
        text = json.dumps([*parts, wheel.sha256, interpreter.kind, interpreter.executable])
        return f"env-{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment on this host: its entry in the cache, the hash of its files, and its interpreter."""

    root: Path
    content_hash: str
    interpreter: Interpreter


def check_manager(env_manager: str) -> None:
    """Raises InvalidArgumentError [INVALID_ARGUMENT] unless it is one of `ENV_MANAGERS`."""
    if env_manager not in ENV_MANAGERS:
        raise InvalidArgumentError(f"env_manager={env_manager!r} is unknown", f"choose one of {list(ENV_MANAGERS)}")


def recipe_of(package: Package, manager: str) -> Recipe:
    """The recipe of a package's environment: requirements.txt and python_env.yaml, else conda.yaml.

    Raises:
        EnvironmentNotBuiltError: [ENVIRONMENT_NOT_BUILT] the package has none of these files.
        InvalidEnvironmentError: [INVALID_ENVIRONMENT] one of them is broken.
    """
    root = package.root
    python = _stated_python(root / PYTHON_ENV)
    lines: Iterable[str]
    constraints: Iterable[str]
    if (root / REQUIREMENTS).is_file():
        given = parse_requirements(root / REQUIREMENTS, source=str(root))
        lines, constraints = given.lines, given.constraints
    elif (root / CONDA).is_file():
        conda = build_environment(default=[], conda_env=root / CONDA)
        lines, constraints = conda.requirements, conda.constraints
    else:
        problem = f"the package has neither {REQUIREMENTS} nor {CONDA}"
        raise EnvironmentNotBuiltError(problem, advice="use env_manager='local'")
    if python is None and (root / CONDA).is_file():
        python = build_environment(default=[], conda_env=root / CONDA).python_version
    own = [line for line in lines if project_of(line) == _OWN]
    extras = next(iter(re.findall(r"^[\w.-]+\s*(\[[^\]]*\])", own[0])), "") if own != [] else ""
    others = tuple(_not_editable(line) for line in lines if line not in own)
    located = any(map(_names_files, others))
    return Recipe(
        manager=manager,
        python=minor_version(python if python is not None else sys.version),
        requirements=others,
        constraints=tuple(line for line in constraints if project_of(line) != _OWN),
        extras=extras,
        folder=str(root),
        content_hash=package.content_hash() if located else "",
    )


def _names_files(line: str) -> bool:
    """Whether a requirement or an option names files, whose content its text does not tell.

    >>> _names_files("wheels/own-1.0-py3-none-any.whl"), _names_files("-f wheels"), _names_files("numpy>=1")
    (True, True, False)
    """
    said = line.split(" #", 1)[0]
    remote = re.search(r"(?<!file)://", said) is not None
    option = re.match(r"-[fe]|--find-links|--editable", said) is not None
    return not remote and (option or re.match(r"[^;]*(/|\.whl\b|\.zip\b|\.tar\.)|[.~]|file:", said) is not None)


def with_extra(extras: str, name: str) -> str:
    """The extras of a requirement with one more.

    >>> with_extra("[sklearn]", "serve"), with_extra("", "serve")
    ('[sklearn,serve]', '[serve]')
    """
    names = [given.strip() for given in extras.strip("[]").split(",") if given.strip() != ""]
    return f"[{','.join(dict.fromkeys([*names, name]))}]"


def build(recipe: Recipe) -> Environment:
    """The environment of a recipe, from the cache, else built now: that may take minutes.

    The requirements are resolved once: versions that a recipe leaves open stay what they were when it was built.

    Raises:
        EnvironmentNotBuiltError: [ENVIRONMENT_NOT_BUILT] there is no such Python here, or installing failed.
        UnsafeCacheError: [UNSAFE_CACHE] the cache directory is not private.
    """
    if tuple(map(int, recipe.python.split("."))) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        problem = f"the package asks for Python {recipe.python}, and spark-models needs {oldest} or newer"
        raise EnvironmentNotBuiltError(problem, advice="save the model again with a newer Python")
    interpreter = find_interpreter(recipe.python)
    if interpreter is None:
        problem = f"the package asks for Python {recipe.python}, which is not on this host"
        advice = f"install python{recipe.python} here and on every host of the cluster, or use env_manager='local'"
        raise EnvironmentNotBuiltError(problem, advice=advice)
    with tempfile.TemporaryDirectory(prefix="spark-models-wheel-") as folder:
        wheel = write_wheel(Path(folder))

        def fill(stage: Path) -> None:
            _log.info("building an environment of Python %s with %s", recipe.python, recipe.manager)
            target = stage / "build"
            _install(recipe, wheel, interpreter, target)
            _keep(target, stage / FILES)
            write_manifest(stage / FILES)
            _check_own(stage / FILES, interpreter, wheel)
            link(stage, interpreter)

        root = entry(recipe.key(wheel, interpreter), fill)
    return Environment(root, hash_of(read_manifest(root / FILES) or ""), interpreter)


def link(root: Path, interpreter: Interpreter) -> None:
    """Makes `root/venv`, a virtual environment of the packages in `root/files` and of an interpreter of this host."""
    venv = root / VENV
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(interpreter.executable)
    home = os.path.dirname(interpreter.executable)
    (venv / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    for folder in sorted(path.name for path in (root / FILES).iterdir() if path.is_dir()):
        (venv / folder).symlink_to(Path("..", FILES, folder))
    # Where a Python looks for compiled modules in lib64, a virtual environment has it as a link.
    (venv / "lib64").symlink_to("lib")


def python_of(root: Path) -> Path:
    """The Python of the environment in an entry of the cache."""
    return root / VENV / "bin" / "python"


def clean_variables() -> dict[str, str]:
    """The variables of this process, without those that lead a Python to other packages, or hold Spark's secrets."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON") and name not in _MISLEADING
    }


def masked(text: str, lines: Iterable[str] = ()) -> str:
    """The text without credentials: users in URLs, secrets in queries, and variables that `lines` name as `${NAME}`.

    >>> masked("https://bob:secret@example.org/simple?token=abc")
    'https://***@example.org/simple?token=***'
    """
    hidden = re.sub(r"(?<=://)[^\s/@]+(?=@)", "***", text)
    hidden = re.sub(r"(?i)([?&][\w.-]*(?:token|passw(?:or)?d|secret|signature|key|sig)=)[^&#\s\"']+", r"\1***", hidden)
    for name in {name for line in lines for name in re.findall(r"\$\{([A-Z0-9_]+)\}", line)}:
        value = os.environ.get(name, "")
        hidden = hidden.replace(value, "***") if value != "" else hidden
    return hidden


def _stated_python(path: Path) -> str | None:
    if not path.is_file():
        return None
    content = read_yaml(path)
    stated = content.get("python") if isinstance(content, dict) else None
    if stated is None:
        return None
    # YAML reads 3.10 as the number 3.1; there are no models of Python 3.1.
    text = "3.10" if stated == 3.1 and not isinstance(stated, str) else str(stated)
    if re.match(r"\d+\.\d+", text) is None:
        raise InvalidEnvironmentError(f"{text!r} is no version of Python", str(path))
    return text


def _not_editable(line: str) -> str:
    # An editable install is a path to a folder of the driver, which does not travel.
    return re.sub(r"^(-e|--editable)[\s=]+", "", line)


def _install(recipe: Recipe, wheel: Wheel, interpreter: Interpreter, target: Path) -> None:
    """Installs the requirements into a new virtual environment at `target`."""
    install: list[str | Path]
    if recipe.manager == "uv":
        uv = find_uv()
        if uv is None:
            advice = "pip install uv, or use env_manager='virtualenv'"
            raise EnvironmentNotBuiltError("uv is not installed", advice=advice)
        _run(recipe, "making it", [uv, "venv", "--no-python-downloads", "--python", interpreter.executable, target])
        # Copied: a link into uv's cache would change with it.
        install = [uv, "pip", "install", "--python", target / "bin" / "python", "--link-mode", "copy"]
    else:
        _run(recipe, "making it", [interpreter.executable, "-I", "-m", "venv", target])
        install = [target / "bin" / "python", "-I", "-m", "pip", "install", "--no-input", "--no-compile"]
        install += ["--disable-pip-version-check", "--progress-bar", "off"]
    for number, (requirements, constraints) in enumerate(_steps(recipe, wheel)):
        files = [wheel.path.with_name(f"{kind}-{number}.txt") for kind in ("requirements", "constraints")]
        files[0].write_text("\n".join(requirements) + "\n")
        files[1].write_text("\n".join(constraints) + "\n")
        _run(recipe, "installing", [*install, "-r", files[0], "-c", files[1]])


def _steps(recipe: Recipe, wheel: Wheel) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The requirements and constraints of each run of the installer: one, where nothing speaks against it.

    Where a requirement has hashes, every other one needs them, also those that only this toolkit brings: then it is
    installed after the others, with their versions as constraints.
    """
    own = wheel.requirement(recipe.extras)
    hashed = any(" --hash" in line or line.startswith("--require-hashes") for line in recipe.requirements)
    if not hashed:
        return [((*recipe.requirements, own), recipe.constraints)]
    options = tuple(line for line in recipe.requirements if line.startswith("-") and "--require-hashes" not in line)
    pins = (re.split(r"\s+--", line)[0] for line in recipe.requirements if not line.startswith("-"))
    pinned = tuple(pin for pin in pins if "==" in pin and "[" not in pin)
    return [(recipe.requirements, recipe.constraints), ((*options, own), pinned)]


def _run(recipe: Recipe, doing: str, command: list[str | Path]) -> None:
    """Runs a command; where it fails, the error has the end of what it said."""
    try:
        done = subprocess.run(
            command,
            cwd=recipe.folder,
            env=clean_variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise EnvironmentNotBuiltError(f"{command[0]} can't be run ({error.strerror})") from error
    if done.returncode == 0:
        return
    said = masked(done.stdout, recipe.requirements)
    lines = tuple(line.rstrip() for line in said.splitlines() if line.strip() != "")[-TAIL:]
    advice = "mend the package's requirements, or use env_manager='local' where they are installed"
    raise EnvironmentNotBuiltError(f"{doing} failed with exit status {done.returncode}", lines, advice)


def _keep(built: Path, files: Path) -> None:
    """Moves what was installed to `files`: all but the interpreter, and the scripts, which name their folder."""
    files.mkdir()
    for path in sorted(built.iterdir()):
        if path.is_dir() and not path.is_symlink() and path.name not in ("bin", "include"):
            path.rename(files / path.name)
    shutil.rmtree(built)


def _check_own(files: Path, interpreter: Interpreter, wheel: Wheel) -> None:
    """Raises unless the toolkit that was installed is this one, file by file, whatever an index has by its name."""
    prefix = f"lib/python{interpreter.version}/site-packages/"
    sums = parse_manifest(read_manifest(files) or "", str(files))
    installed = {
        name.removeprefix(prefix): digest for name, digest in sums.items() if name.startswith(f"{prefix}spark_models/")
    }
    if installed != wheel.sums:
        advice = "a requirement brings another package named spark_models: remove it"
        raise EnvironmentNotBuiltError("the toolkit that was installed is not the running one", advice=advice)
