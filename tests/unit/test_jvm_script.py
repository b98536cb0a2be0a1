"""What scripts/jvm says where it can't build: one line that tells what to install."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "jvm"


def run(java_home: Path, *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "JAVA_HOME": str(java_home)}
    done = subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_without_a_jdk(tmp_path: Path) -> None:
    status, said = run(tmp_path, "compile")
    assert status == 1
    assert said == (
        f"jvm: a JDK of 17 or newer is needed and '{tmp_path}/bin/javac' is missing: "
        "install one (Debian: apt-get install openjdk-17-jdk-headless), or name it with JAVA_HOME\n"
    )


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_392"])
def test_with_an_old_jdk(tmp_path: Path, version: str) -> None:
    (tmp_path / "bin").mkdir()
    javac = tmp_path / "bin" / "javac"
    javac.write_text(f"#!/bin/sh\necho 'javac {version}'\n")
    javac.chmod(0o755)
    status, said = run(tmp_path, "compile")
    assert status == 1
    assert f"is version {version.split('.')[0]}: install one" in said


def test_without_a_task(tmp_path: Path) -> None:
    assert run(tmp_path) == (1, "jvm: say what to do: scripts/jvm compile | test | assembly\n")
