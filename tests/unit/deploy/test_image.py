"""The context of an image, and what is said where no engine builds it."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import spark_models
from spark_models.cli import cli
from spark_models.deploy.image import build_image, write_context
from spark_models.errors import FlavorNotFoundError, ImageNotBuiltError, ModelPathExistsError
from spark_models.models import Model
from spark_models.package.reader import open_package


class Double(spark_models.pyfunc.PythonModel):
    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input * 2


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "double"
    spark_models.pyfunc.save_model(path, python_model=Double(), extra_pip_requirements=["scipy<2"])
    return path


def test_the_context_holds_the_package_and_the_toolkits_own_wheel(package: Path, tmp_path: Path) -> None:
    folder = write_context(str(package), tmp_path / "image")
    assert open_package(folder / "model").verify() == open_package(package).content_hash()
    (wheel,) = (folder / "wheels").iterdir()
    lines = (folder / "requirements.txt").read_text().splitlines()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert lines[-1] == f"spark-models[serve] @ file:///build/wheels/{wheel.name}#sha256={digest}"
    assert "scipy<2" in lines
    assert not any(line.startswith("spark_models") for line in lines)


def test_the_image_runs_as_a_user_of_its_own_with_a_health_check(package: Path, tmp_path: Path) -> None:
    text = (write_context(str(package), tmp_path / "image") / "Dockerfile").read_text()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == [f"python:{python}-slim"] * 2
    assert "\nUSER 10001\n" in text
    assert "\nHEALTHCHECK " in text
    # Every command is a list: no shell stands between a signal and the server.
    assert 'ENTRYPOINT ["' in text
    assert "--no-index" not in text


def made(root: Path, *flavors: str) -> Path:
    """A package with these flavors alone, as R or a JVM's writer leaves it."""
    root.mkdir()
    model = Model()
    for flavor in flavors:
        model.add_flavor(flavor)
    model.save(root / "MLmodel")
    return root


def test_an_r_function_gets_r_and_needs_nothing_else(tmp_path: Path) -> None:
    folder = write_context(str(made(tmp_path / "crate", "crate")), tmp_path / "image")
    assert "apt-get install -y --no-install-recommends r-base-core" in (folder / "Dockerfile").read_text()
    assert (folder / "requirements.txt").read_text().startswith("spark-models[serve] @ file:")


def test_mleap_alone_gets_the_jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = made(tmp_path / "line", "mleap")
    (tmp_path / "companion.jar").write_bytes(b"a jar")
    monkeypatch.setenv("SPARK_MODELS_JAR", str(tmp_path / "companion.jar"))
    folder = write_context(str(package), tmp_path / "image")
    assert sorted(path.name for path in folder.iterdir()) == ["Dockerfile", "model", "spark-models.jar"]
    assert '"-jar", "/opt/spark-models.jar", "serve", "-m", "/srv/model"' in (folder / "Dockerfile").read_text()
    monkeypatch.setenv("SPARK_MODELS_JAR", str(tmp_path / "missing.jar"))
    with pytest.raises(ImageNotBuiltError, match="make jvm"):
        write_context(str(package), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_package_that_nothing_serves_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlavorNotFoundError):
        write_context(str(made(tmp_path / "other", "keras")), tmp_path / "image")
    assert not (tmp_path / "image").exists()


def test_a_folder_that_holds_something_is_left_alone(package: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(ModelPathExistsError):
        write_context(str(package), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_without_an_engine_the_error_says_the_one_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageNotBuiltError, match=r"run: docker build -t churn churn-image"):
        build_image(Path("churn-image"), "churn")


def call(*arguments: object) -> Any:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def test_requirements_are_changed_and_what_else_conda_says_stays(tmp_path: Path) -> None:
    path = tmp_path / "m"
    conda = {"channels": ["mine"], "dependencies": ["python=3.11", "gcc", {"pip": ["scipy<2", "spark_models"]}]}
    spark_models.pyfunc.save_model(path, python_model=Double(), conda_env=conda)
    assert call("models", "update-requirements", "-m", path, "scipy==1.14", "six").exit_code == 0
    text = (path / "conda.yaml").read_text()
    assert all(line in text for line in ("- mine", "- python=3.11", "- gcc", "- scipy==1.14", "- six"))
    assert "scipy<2" not in text
    assert (path / "requirements.txt").read_text().splitlines() == ["scipy==1.14", "spark_models", "six"]
    open_package(path).verify()
    assert call("models", "update-requirements", "-m", path, "--remove", "six").exit_code == 0
    assert "six" not in (path / "requirements.txt").read_text()
    refused = call("models", "update-requirements", "-m", path, "--remove", "pandas")
    assert (refused.exit_code, "does not require ['pandas']" in refused.output) == (1, True)


@pytest.mark.slow
def test_the_steps_of_the_context_make_a_server_that_answers(package: Path, tmp_path: Path) -> None:
    folder = write_context(str(package), tmp_path / "image")
    lines = (folder / "requirements.txt").read_text().replace("/build/", f"{folder}/")
    (folder / "requirements.txt").write_text(lines)
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-I", "-m", "venv", venv], check=True)
    install = [venv / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt"]
    subprocess.run([*install, "-c", "constraints.txt"], cwd=folder, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [venv / "bin" / "spark-models", "serve", "-m", folder / "model", "-p", str(port)]
    environment = {"PATH": str(venv / "bin"), "HOME": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as server:
        try:
            answer = _ask(port)
        finally:
            server.terminate()
    assert answer == b'[{"a":2}]'
    shutil.rmtree(venv)


def _ask(port: int) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", b'[{"a": 1}]')
    request.add_header("Content-Type", "application/json")
    for _ in range(200):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bytes(answer.read())
        except OSError:
            time.sleep(0.1)
    raise AssertionError("it never answered")
