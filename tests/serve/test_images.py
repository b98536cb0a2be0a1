"""Images, built for real: by buildah in a chroot, on a base that is made of Debian's packages; their servers answer."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import wait_until

import spark_models
import spark_models.mleap
from spark_models.deploy.image import find_jar
from spark_models.models import Model, ModelSignature
from spark_models.types.schema import ColSpec, Schema

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.needs("image"), pytest.mark.slow]


class Twice(spark_models.pyfunc.PythonModel):
    """Doubles x; for one below zero it takes as many seconds."""

    def predict(self, context: Any, model_input: Any) -> Any:
        time.sleep(max(0.0, -float(model_input["x"].min())))
        return model_input["x"].to_numpy() * 2


@dataclass(frozen=True)
class Container:
    """A running container: its URL, what runs a command in it, its image's settings, and buildah's process."""

    url: str
    inside: list[str]
    settings: dict[str, Any]
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    def stop(self) -> int:
        """Signals the server as an engine would that stops the container; the container's exit status."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                if self.port not in words:
                    continue
                # buildah's own process around it has the same arguments.
                if words[0].startswith("/opt/model/bin/python") and "/opt/model/bin/spark-models" in words[1:2]:
                    os.kill(int(folder.name), signal.SIGTERM)
                    return self.process.wait(30)
        raise AssertionError("no server runs in the container")


class Builder:
    """buildah with a store of its own, and nothing else that builds images on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "buildah").symlink_to(shutil.which("buildah") or "")
        store = f'[storage]\ndriver = "vfs"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/graph"\n'
        (folder / "storage.conf").write_text(store)
        self.variables = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }

    def __call__(self, *arguments: object) -> str:
        command = ["buildah", *map(str, arguments)]
        done = subprocess.run(command, env=self.variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def base(self, name: str, *packages: str) -> None:
        """Makes a base image of Debian's packages."""
        tar = self.folder / f"{name}.tar"
        release = platform.freedesktop_os_release()["VERSION_CODENAME"]
        made = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}", release, str(tar)]
        subprocess.run(made, check=True, capture_output=True)
        container = self("from", "scratch")
        self("add", "-q", container, tar, "/")
        self("commit", "-q", "--rm", container, f"localhost/{name}")
        tar.unlink()

    def build(self, package: Path, name: str, *options: object) -> None:
        """Builds the image of a package by the command."""
        command = [sys.executable, "-m", "spark_models", "models", "build-docker", "-m", package, "-n", name, *options]
        python = Path(sys.executable).parent
        path = os.pathsep.join([str(self.folder / "bin"), str(python)])
        done = subprocess.run(
            [*map(str, command)],
            cwd=self.folder,
            env={**self.variables, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"buildah built {name}" in done.stdout

    @contextlib.contextmanager
    def run(self, name: str) -> Iterator[Container]:
        """The image's own command running in a container."""
        container = self("from", "--pull-never", name)
        settings: dict[str, Any] = json.loads(self("inspect", container))["Docker"]["config"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        entry = [port if word == "8080" else word for word in settings["Entrypoint"]]
        inside = ["buildah", "run", "--user", settings["User"], container, "--"]
        process = subprocess.Popen([*inside, *entry], env=self.variables)
        try:
            yield Container(f"http://127.0.0.1:{port}", inside, settings, process)
        finally:
            process.terminate()
            process.wait(30)
            self("rm", container)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    made = Builder(tmp_path_factory.mktemp("images") / "store")
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


def ask(url: str, body: dict[str, Any]) -> Any:
    with httpx.Client(base_url=url, timeout=30) as client:

        def ready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return client.get("/ping").status_code == 200
            return False

        wait_until(ready, 60)
        return client.post("/invocations", json=body).json()


def is_healthy(builder: Builder, container: Container) -> bool:
    """Whether the image's health check says so, at the port where the server is."""
    check = [word.replace("8080", container.port) for word in container.settings["Healthcheck"]["Test"][1:]]
    return subprocess.run([*container.inside, *check], env=builder.variables, check=False).returncode == 0


def test_an_image_of_python_is_built_without_a_network_and_serves(builder: Builder, tmp_path: Path) -> None:
    package = tmp_path / "double"
    signature = ModelSignature(Schema([ColSpec("double", "x")]))
    spark_models.pyfunc.save_model(package, python_model=Twice(), signature=signature)
    builder.base("python", "python3", "python3-venv", "r-base-core")
    builder.build(package, "localhost/double", "--base-image", "localhost/python", "--wheelhouse")
    dockerfile = (builder.folder / "double-image" / "Dockerfile").read_text()
    assert "--no-index" in dockerfile
    with builder.run("localhost/double") as container:
        assert ask(container.url, {"columns": ["x"], "data": [[1.5]]}) == [3.0]
        assert container.settings["User"] == "10001"
        assert is_healthy(builder, container)
        # What was asked before the container is stopped is answered, what runs and what waits.
        with ThreadPoolExecutor(3) as pool:
            asked = [
                pool.submit(ask, container.url, {"columns": ["x"], "data": [[-seconds]]}) for seconds in (1.0, 1.5, 2.0)
            ]
            time.sleep(0.7)
            assert container.settings["StopSignal"] == "SIGTERM"
            assert container.stop() == 0
            assert [answer.result() for answer in asked] == [[-2.0], [-3.0], [-4.0]]
    wait_until(lambda: not _answers(container.url))


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ping", timeout=1).status_code == 200
    except httpx.TransportError:
        return False


def test_an_image_of_an_r_function_serves(builder: Builder, tmp_path: Path) -> None:
    root = tmp_path / "twice"
    root.mkdir()
    saved = "saveRDS(serialize(function(d) d$x * 2, NULL), commandArgs(TRUE)[[1]])"
    subprocess.run(["Rscript", "-e", saved, str(root / "crate.bin")], check=True)
    model = Model(signature=ModelSignature(Schema([ColSpec("double", "x")])))
    model.add_flavor("crate", version="0.1.0", model="crate.bin")
    model.save(root / "MLmodel")
    builder.build(root, "localhost/twice", "--base-image", "localhost/python", "--wheelhouse")
    with builder.run("localhost/twice") as container:
        assert ask(container.url, {"columns": ["x"], "data": [[2.5]]}) == [5.0]


def test_an_image_of_the_java_companion_serves(builder: Builder, spark: Any, tmp_path: Path) -> None:
    if find_jar() is None:
        pytest.fail("build the Java companion first: make jvm")
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.regression import LinearRegression

    rows = spark.createDataFrame([(float(at), 2.0 * at + 1.0) for at in range(10)], "x double, label double")
    stages = [VectorAssembler(inputCols=["x"], outputCol="features"), LinearRegression()]
    line = Pipeline(stages=stages).fit(rows)
    inputs = rows.select("x")
    spark_models.mleap.save_model(spark_model=line, sample_input=inputs, path=tmp_path / "line")
    builder.base("java", "openjdk-17-jre-headless", "ca-certificates")
    builder.build(tmp_path / "line", "localhost/line", "--base-image", "localhost/java")
    with builder.run("localhost/line") as container:
        assert ask(container.url, {"columns": ["x"], "data": [[2.0], [3.5]]}) == pytest.approx([5.0, 8.0])
        assert is_healthy(builder, container)
