"""The toolkit's own wheel: what pyproject.toml says, and byte for byte the running files."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import spark_models
from spark_models.scoring.isolation import wheel

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> wheel.Wheel:
    return wheel.write_wheel(tmp_path_factory.mktemp("wheel"))


def section(text: str, name: str) -> str:
    """A section of pyproject.toml; Python 3.10 has no reader of TOML."""
    return text.split(f"\n[{name}]\n")[1].split("\n[")[0]


def requirements(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r'"([^"]+)"', re.sub(r"#.*", "", text)))


def test_it_says_what_pyproject_says() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    project = section(text, "project")
    assert f'version = "{spark_models.__version__}"' in project
    assert f'requires-python = "{wheel.REQUIRES_PYTHON}"' in project
    assert requirements(project.split("\ndependencies = [")[1].split("\n]")[0]) == wheel.REQUIREMENTS
    optional = section(text, "project.optional-dependencies")
    extras = {name: requirements(lines) for name, lines in re.findall(r"^([\w-]+) = \[((?:.|\n)*?)\]$", optional, re.M)}
    for_developers = {"demo", "deployments", "test", "fuzz", "dev"}
    assert {name: lines for name, lines in extras.items() if name not in for_developers} == wheel.EXTRAS
    name, _, target = wheel.SCRIPT.partition(" = ")
    assert f'{name} = "{target}"' in section(text, "project.scripts")


def test_the_same_files_give_the_same_bytes(written: wheel.Wheel, tmp_path: Path) -> None:
    assert wheel.write_wheel(tmp_path).path.read_bytes() == written.path.read_bytes()


def test_it_holds_the_running_toolkit(written: wheel.Wheel) -> None:
    with zipfile.ZipFile(written.path) as archive:
        names = {name for name in archive.namelist() if name.startswith("spark_models/")}
        source = ROOT / "spark_models"
        assert archive.read("spark_models/errors.py") == (source / "errors.py").read_bytes()
    files = {
        f"spark_models/{path.relative_to(source).as_posix()}"
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == files == set(written.sums)


def test_its_record_has_every_file(written: wheel.Wheel) -> None:
    with zipfile.ZipFile(written.path) as archive:
        record = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
        assert {name for name, _, _ in rows} == set(archive.namelist())
        for name, digest, size in rows:
            if name != record:
                content = archive.read(name)
                stated = base64.urlsafe_b64decode(digest.removeprefix("sha256=") + "=")
                assert (stated, int(size)) == (hashlib.sha256(content).digest(), len(content))


def test_its_requirement_names_the_file_and_its_hash(written: wheel.Wheel) -> None:
    digest = hashlib.sha256(written.path.read_bytes()).hexdigest()
    assert written.requirement("[plot]") == f"spark-models[plot] @ {written.path.as_uri()}#sha256={digest}"


def test_python_runs_it_as_it_is(written: wheel.Wheel, tmp_path: Path) -> None:
    """A wheel can be imported from: nothing but its own files is needed."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import spark_models; print(spark_models.__file__)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", code, str(written.path)]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == f"{written.path}/spark_models/__init__.py"
