"""Pipelines over a Spark Connect server that shares no directory with its client: saved, loaded, scored, bundled."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyspark
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
from jvm_parity import JAR

ROOT = Path(__file__).parents[2]
SPARK_HOME = Path(pyspark.__file__).parent
SCRATCH = Path("/tmp/spark-models")
"""Where the server keeps files for a while."""
HIDE = """
for folder in "$SERVER_FOLDER" "$CLIENT_FOLDER" "$SCRATCH_FOLDER"; do mount -t tmpfs tmpfs "$folder"; done
exec "$@"
"""


def no_namespace() -> bool:
    """Whether this system does not give a process a view of the disk of its own."""
    try:
        done = subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
        )
    except OSError:
        return True
    return done.returncode != 0


pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("grpc") is None or importlib.util.find_spec("grpc_status") is None,
        reason="Spark Connect needs grpcio and grpcio-status: pip install 'pyspark[connect]'",
    ),
    pytest.mark.skipif(
        not any((SPARK_HOME / "jars").glob("spark-connect_*.jar")),
        reason="this pyspark has no Spark Connect server, or one without ML: it needs pyspark 4",
    ),
    pytest.mark.skipif(no_namespace(), reason="`unshare -rm` is not allowed: the server can't be kept from the disk"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def client_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("client")


@pytest.fixture(scope="module")
def server(spark_environment: None, client_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that sees neither the client's folder nor shows its own."""
    folder = tmp_path_factory.mktemp("server")
    SCRATCH.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "spark.connect.grpc.binding.port": str(port),
        "spark.ui.enabled": "false",
        "spark.local.dir": str(folder),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
    }
    submit = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", "local[2]", "--driver-memory", "1g"]
    for name, value in settings.items():
        submit += ["--conf", f"{name}={value}"]
    submit += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    environment = dict(
        os.environ, SERVER_FOLDER=str(folder), CLIENT_FOLDER=str(client_folder), SCRATCH_FOLDER=str(SCRATCH)
    )
    log = tmp_path_factory.mktemp("log") / "server.log"
    with open(log, "wb") as stream:
        process = subprocess.Popen(
            ["unshare", "-rm", "sh", "-ec", HIDE, "sh", *submit], stdout=stream, stderr=stream, env=environment, cwd="/"
        )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.2)
    else:
        pytest.fail(log.read_text(errors="replace")[-3000:])
    yield f"sc://127.0.0.1:{port}"
    process.terminate()
    process.wait(60)
    shutil.rmtree(SCRATCH) if SCRATCH.exists() and not any(SCRATCH.iterdir()) else None


@pytest.fixture(scope="module")
def seen(server: str, client_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a client process saw; one for all tests of this module."""
    cache = tmp_path_factory.mktemp("cache")
    environment = dict(os.environ, PYTHONPATH=str(ROOT), SPARK_MODELS_CACHE=str(cache))
    driver = [sys.executable, str(Path(__file__).parent / "connect_pipeline_driver.py"), str(client_folder), server]
    if JAR.is_file():
        driver.append("--verify")
        environment["SPARK_MODELS_JAR"] = str(JAR)
    done = subprocess.run(
        driver, cwd=client_folder, env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_server_does_not_see_the_clients_folder(seen: Any) -> None:
    assert seen["separate"] is True


def test_a_save_there_is_a_package_here(seen: Any) -> None:
    found = seen["saved"]
    assert found["flavors"] == ["mleap", "python_function", "spark"]
    assert {"MLmodel", "manifest.sha256", "mleap", "sparkml"} <= set(found["files"])
    assert found["stages"] == 3
    assert len(set(found["expected"])) == 2
    assert found["stored"] == found["expected"]


def test_loading_needs_a_server_that_takes_files_and_says_so(seen: Any) -> None:
    text = seen["saved"]["refused"]
    assert text.startswith("[INVALID_ARGUMENT] The Spark Connect server does not take the model's files")
    assert "spark.sql.artifact.copyFromLocalToFs.allowDestLocal" in text


@pytest.mark.parametrize("way", ["native", "pyfunc", "score"])
def test_it_scores_there_as_it_did(seen: Any, way: str) -> None:
    assert seen["saved"][way] == seen["saved"]["expected"]


def test_the_folder_of_the_server_may_be_named(seen: Any) -> None:
    assert seen["given_folder"] == ["metadata", "stages"]


GROUPS = ["scalers", "vectors", "selectors", "columns", "categories", "words", "linear", "bayes", "trees", "clusters"]
GROUPS += ["recommendation", "inner", "formula"]


def test_every_group_is_asked_for(seen: Any) -> None:
    assert sorted(seen["bundles"]) == sorted(GROUPS)


@pytest.mark.parametrize("name", GROUPS)
def test_bundles_are_written_and_the_jvm_gives_sparks_answers(seen: Any, name: str) -> None:
    assert seen["bundles"][name] == "saved"
