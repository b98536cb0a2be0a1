"""The image that serves whatever package is at /opt/ml/model: its entry point, run in a clean environment."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spark_models
from spark_models.deploy.container import main, server_command
from spark_models.deploy.container_image import write_container_context
from spark_models.errors import FlavorNotFoundError, InvalidArgumentError

ROOT = Path(__file__).parents[3]
JAR = ROOT / "jvm" / "server" / "target" / "spark-models.jar"


class Double(spark_models.pyfunc.PythonModel):
    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input * 2


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    spark_models.pyfunc.save_model(path, python_model=Double())
    return path


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def running(python: str, variables: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    command = [python, "-m", "spark_models.deploy.container", "serve"]
    clean = {"PATH": "/usr/bin:/bin", "SAGEMAKER_BIND_TO_PORT": str(port), **variables}
    with subprocess.Popen(command, env=clean, cwd="/") as server:
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/ping", timeout=5) as answer:
                    if answer.status == 200:
                        break
                assert server.poll() is None, "it ended"
                time.sleep(0.1)
            yield url, server
        finally:
            server.kill() if server.poll() is None else None


def ask(url: str, body: bytes, content_type: str, host: str = "") -> tuple[int, bytes]:
    request = urllib.request.Request(f"{url}/invocations", body, {"Content-Type": content_type})
    if host != "":
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_contract_of_the_container(package: Path, tmp_path: Path) -> None:
    variables = {
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "SPARK_MODELS_CACHE": str(tmp_path / "cache"),
        "SPARK_MODELS_MODEL": str(package),
        "SPARK_MODELS_ENV_MANAGER": "local",
    }
    with running(sys.executable, variables) as (url, server):
        split = json.dumps({"columns": ["a"], "data": [[1], [2]]}).encode()
        assert ask(url, split, "application/json") == (200, b'[{"a":2},{"a":4}]')
        assert ask(url, b"a\n1\n", "text/csv") == (200, b'[{"a":2}]')
        # SageMaker and Kubernetes call it by names of their own.
        assert ask(url, split, "application/json", "model.aws.local:8080")[0] == 200
        assert ask(url, b"", "text/plain")[0] == 415
        # The server has taken the entry point's place: the signal is its own, and it drains.
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def test_the_default_port_and_place_are_sagemakers(monkeypatch: pytest.MonkeyPatch, package: Path) -> None:
    monkeypatch.setattr("spark_models.deploy.container.MODEL", str(package))
    command = server_command({"MLFLOW_DISABLE_ENV_CREATION": "true"})
    assert command[command.index("-p") + 1] == "8080"
    assert command[2:6] == ["spark_models", "serve", "-m", str(package)]
    assert command[command.index("-h") + 1] == "0.0.0.0"


def test_other_commands_and_flavors_are_refused(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == 2
    assert "not 'train'" in capsys.readouterr().err
    where = {"SPARK_MODELS_MODEL": str(package)}
    with pytest.raises(InvalidArgumentError, match="'sklearn' can't be deployed"):
        server_command({**where, "SPARK_MODELS_FLAVOR": "sklearn"})
    with pytest.raises(FlavorNotFoundError):
        server_command({**where, "MLFLOW_DEPLOYMENT_FLAVOR_NAME": "mleap"})


def test_the_context_holds_the_toolkits_own_wheel(package: Path, tmp_path: Path) -> None:
    folder = write_container_context(tmp_path / "generic")
    text = (folder / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["/opt/spark-models/bin/python", "-m", "spark_models.deploy.container"]' in text
    assert re.findall(r"^USER (\d+)$", text, re.MULTILINE) == ["10001"]
    assert "SPARK_MODELS_ENV_MANAGER=virtualenv" in text
    assert "java" not in text
    (line,) = (folder / "requirements.txt").read_text().splitlines()
    assert re.fullmatch(r"spark-models\[serve\] @ file:///build/wheels/\S+\.whl#sha256=[0-9a-f]{64}", line)
    # A package's environment needs the Python that it was saved with.
    assert "for version in 3.10 3.11 3.12; do" in text
    assert "uv python install --no-cache $version" in text
    (tmp_path / "x.jar").write_bytes(b"PK")
    baked = write_container_context(tmp_path / "baked", model_uri=str(package), jar=str(tmp_path / "x.jar"))
    text = (baked / "Dockerfile").read_text()
    assert "SPARK_MODELS_ENV_MANAGER=local SPARK_MODELS_JAR=/opt/spark-models.jar" in text
    assert (baked / "spark-models.jar").read_bytes() == b"PK"
    assert "uv python install" not in text
    assert any(line.startswith("cloudpickle") for line in (baked / "requirements.txt").read_text().splitlines())
    with pytest.raises(InvalidArgumentError, match="There is no jar"):
        write_container_context(tmp_path / "none", jar=str(tmp_path / "no.jar"))


@pytest.mark.slow
def test_the_entry_point_in_an_environment_of_its_own(package: Path, tmp_path: Path) -> None:
    """What the Dockerfile's steps make: only the wheel's requirements, no checkout, no variables of this process."""
    folder = write_container_context(tmp_path / "context", model_uri=str(package))
    requirements = folder / "requirements.txt"
    requirements.write_text(requirements.read_text().replace("/build/", f"{folder}/"))
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-I", "-m", "venv", venv], check=True)
    install = [venv / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "-r", requirements]
    subprocess.run([*install, "-c", folder / "constraints.txt"], check=True)
    shutil.copytree(package, tmp_path / "opt" / "ml" / "model")
    variables = {
        "HOME": str(tmp_path),
        "SPARK_MODELS_CACHE": str(tmp_path / "cache"),
        "SPARK_MODELS_MODEL": str(tmp_path / "opt" / "ml" / "model"),
        "SPARK_MODELS_ENV_MANAGER": "local",
    }
    with running(str(venv / "bin" / "python"), variables) as (url, server):
        assert ask(url, b'{"columns": ["a"], "data": [[1]]}', "application/json") == (200, b'[{"a":2}]')
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


@pytest.mark.skipif(shutil.which("java") is None or not JAR.is_file(), reason="make jvm makes the Java companion's jar")
def test_the_mleap_flavor_is_served_by_the_java_companion(spark: Any, tmp_path: Path) -> None:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.regression import LinearRegression

    import spark_models.mleap

    rows = spark.createDataFrame([(float(x), float(x % 3), 2.0 * x) for x in range(20)], ["a", "b", "label"])
    stages = [VectorAssembler(inputCols=["a", "b"], outputCol="features"), LinearRegression()]
    model = Pipeline(stages=stages).fit(rows)
    spark_models.mleap.save_model(spark_model=model, sample_input=rows.drop("label"), path=str(tmp_path / "model"))
    variables = {
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "SPARK_MODELS_MODEL": str(tmp_path / "model"),
        "SPARK_MODELS_FLAVOR": "mleap",
        "SPARK_MODELS_JAR": str(JAR),
    }
    with running(sys.executable, variables) as (url, server):
        status, answer = ask(url, b'{"columns": ["a", "b"], "data": [[3.0, 0.0]]}', "application/json", "some.name")
        assert (status, round(json.loads(answer)[0], 6)) == (200, 6.0)
        assert ask(url, b"", "text/plain")[0] == 415
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) in (0, 143)
