"""A package with an R function alone, served: its process is each worker's own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Server, wait_until

from spark_models.models import Model, ModelSignature
from spark_models.types.schema import ColSpec, Schema

pytestmark = pytest.mark.needs("r")

FUNCTION = """function(d) {
  if (d$act[1] == "fail") stop("a secret of the row")
  if (d$act[1] == "die") tools::pskill(Sys.getpid(), 9)
  if (d$act[1] == "hang") repeat NULL
  if (d$act[1] == "pid") return(data.frame(pid = Sys.getpid()))
  d$x * 2
}"""


@pytest.fixture(scope="module")
def crate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("crate") / "twice"
    root.mkdir()
    saved = f"saveRDS(serialize({FUNCTION}, NULL), commandArgs(TRUE)[[1]])"
    subprocess.run(["Rscript", "-e", saved, str(root / "crate.bin")], check=True)
    model = Model(signature=ModelSignature(Schema([ColSpec("double", "x"), ColSpec("string", "act")])))
    model.add_flavor("crate", version="0.1.0", model="crate.bin")
    model.save(root / "MLmodel")
    return root


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def pid_of(server: Server) -> int:
    found: int = server.score((1.0, "pid")).json()[0]["pid"]
    return found


def test_it_is_served_and_what_it_does_is_reported(start: Callable[..., Server], crate: Path) -> None:
    server = start(model=crate)
    assert server.score((1.0, ""), (2.5, "")).json() == [2.0, 5.0]
    pid = pid_of(server)
    failed = server.score((1.0, "fail"))
    assert code(failed) == (500, "MODEL_FAILED")
    assert "secret" not in failed.text
    assert pid_of(server) == pid
    died = server.score((1.0, "die"))
    assert code(died) == (500, "R_ENDED")
    assert "ended by SIGKILL" in died.json()["message"]
    assert server.score((3.0, "")).json() == [6.0]
    assert pid_of(server) != pid
    last = pid_of(server)
    assert server.end() == 0
    wait_until(lambda: _is_gone(last))


def test_a_process_that_hangs_ends_with_its_worker(start: Callable[..., Server], crate: Path) -> None:
    server = start("--timeout", 20, "--kill-after", 1, model=crate)
    pid = pid_of(server)
    with ThreadPoolExecutor(1) as pool:
        hangs = pool.submit(server.score, (1.0, "hang"))
        assert code(hangs.result()) == (503, "NOT_READY")
    wait_until(lambda: _is_gone(pid))
    assert server.score((1.0, "")).json() == [2.0]


def test_without_r_the_server_says_what_to_install(start: Callable[..., Server], crate: Path) -> None:
    server = start(model=crate, environment={"SPARK_MODELS_RSCRIPT": "/nowhere/Rscript"})
    assert server.process.wait(30) == 1
    assert server.log.read_text().startswith("[MISSING_PROGRAM] Scoring an R function needs Rscript")


def test_its_card_and_its_document(crate: Path, start: Callable[..., Server]) -> None:
    server = start(model=crate)
    assert server.client.get("/version").json()["flavors"] == ["crate"]
    body: dict[str, Any] = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [4]}]}
    body["inputs"].append({"name": "act", "datatype": "BYTES", "shape": [1], "data": [""]})
    answer = server.client.post("/v2/models/twice/infer", json=body)
    assert answer.json()["outputs"] == [{"name": "predictions", "datatype": "FP64", "shape": [1], "data": [8.0]}]
    assert json.loads(server.client.get("/openapi.json").text)["paths"]["/invocations"]


def _is_gone(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        # One that has ended and was not waited for is a zombie.
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    return True
