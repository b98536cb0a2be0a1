"""A flavor of another package, installed as users install one, keeps the laws by importing the suite."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLUGIN = HERE.parent / "plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the plugin, built and installed by its own pyproject.toml."""
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(PLUGIN, source)
    target = tmp_path_factory.mktemp("installed")
    found = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    command = [sys.executable, "-m", "pip", "install"] if found is None else [found, "pip", "install", "--offline"]
    python = [] if found is None else ["--python", sys.executable]
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run([*command, *python, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_the_plugin_keeps_the_laws(installed: Path, tmp_path: Path) -> None:
    shutil.copy(PLUGIN / "check_laws.py", tmp_path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), str(ROOT), str(HERE)])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    options = ["--rootdir", str(tmp_path), "--import-mode=importlib", str(tmp_path / "check_laws.py")]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert " failed" not in done.stdout
    assert "19 passed" in done.stdout, done.stdout
