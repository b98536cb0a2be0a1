"""A real server on a real port, started by its command."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

import spark_models
from spark_models.models import infer_signature

# The tests are imported by path, so a module that they share is found only here.
sys.path.insert(0, str(Path(__file__).parent))

from running import Server, wait_until

ROOT = Path(__file__).parents[2]


class Moody(spark_models.pyfunc.PythonModel):
    """Doubles x; `act` says what it does before: sleeps so many seconds, fails, ends the process, or hangs for ever."""

    def predict(self, context: Any, model_input: pd.DataFrame) -> np.ndarray[Any, Any]:
        for act in model_input["act"]:
            kind, _, value = (act or "").partition(":")
            if kind == "sleep":
                time.sleep(float(value))
            elif kind == "fail":
                raise ValueError(f"a secret of the row: {value}")
            elif kind == "die":
                os._exit(9)
        return model_input["x"].to_numpy() * 2


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("serve") / "moody"
    example = pd.DataFrame({"x": [1.0], "act": [""]})
    signature = infer_signature(example, np.array([2.0]))
    spark_models.pyfunc.save_model(path, python_model=Moody(), signature=signature, input_example=example)
    return path


@pytest.fixture(scope="module")
def start(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts servers; all of them are ended at the end."""
    started: list[Server] = []

    def begin(*options: object, model: Path = package, environment: dict[str, str] | None = None) -> Server:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = tmp_path_factory.mktemp("log") / "stderr"
        command = [sys.executable, "-m", "spark_models", "serve", "-m", str(model), "-p", str(port)]
        with open(log, "w") as stream:
            process = subprocess.Popen(
                [*command, *map(str, options)],
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
                stderr=stream,
                text=True,
            )
        scheme = "https" if "--tls-cert" in options else "http"
        url = f"{scheme}://127.0.0.1:{port}"
        client = httpx.Client(base_url=url, timeout=30, verify=False)
        server = Server(process, client, url, log)
        started.append(server)
        wait_until(lambda: "Serving" in log.read_text() or process.poll() is not None, 60)
        return server

    yield begin
    for server in started:
        server.client.close()
        server.process.kill()
        server.process.wait()
