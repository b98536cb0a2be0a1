"""Jobs on a real standalone cluster of two workers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from standalone import WORKERS

ROOT = Path(__file__).parent.parent.parent


def run(cluster: str, folder: Path, scenarios: str) -> Any:
    """What the driver process says of its scenarios."""
    (folder / "tmp").mkdir()
    environment = dict(
        os.environ,
        PYTHONPATH=str(ROOT),
        SPARK_MODELS_CACHE=str(folder / "driver" / "cache"),
        TMPDIR=str(folder / "tmp"),
        SPARK_LOCAL_DIRS=str(folder / "tmp"),
    )
    script = str(Path(__file__).parent / "cluster_driver.py")
    done = subprocess.run(
        [sys.executable, script, cluster, str(folder), scenarios],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("job")


@pytest.fixture(scope="module")
def seen(cluster: str, folder: Path) -> Any:
    """A driver runs every scenario; its executors' cache is in the same folder."""
    return run(cluster, folder, "answers,score,corrupt,large")


def test_the_cluster_answers_as_the_model(seen: Any) -> None:
    assert seen["answers"]["equal"] is True
    assert seen["answers"]["rows"] == 400
    assert seen["score"]["equal"] is True


def test_every_worker_process_loads_once(seen: Any) -> None:
    loads = seen["answers"]["loads"]
    executors = {root for _, root, _ in loads}
    assert len(executors) == WORKERS
    assert set(Counter(pid for pid, _, _ in loads).values()) == {1}


def test_the_workers_run_the_drivers_toolkit(seen: Any) -> None:
    for _, root, toolkit in seen["answers"]["loads"]:
        assert toolkit.startswith(f"{root}/spark-models-toolkit.zip/")


def test_a_large_package_that_the_executors_see_is_not_sent(seen: Any) -> None:
    assert seen["large"]["equal"] is True
    assert seen["large"]["seen"] is None
    assert seen["large"]["sent"].startswith("spark-models-")


def test_the_archive_was_unpacked_once_for_the_host(seen: Any, folder: Path) -> None:
    """The model that arrived whole is there; nothing of those that did not, or of one that needed no archive."""
    entries = [path for path in (folder / "executors").iterdir() if not path.name.endswith(".lock")]
    assert len(entries) == 1
    assert re.fullmatch("[0-9a-f]{64}", entries[0].name)
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in [folder / "executors", *entries])
    assert not list(folder.rglob("escaped"))


@pytest.mark.parametrize(
    ("corruption", "code"),
    [
        ("truncated", "SHIP_FAILED"),
        ("flipped byte", "SHIP_FAILED"),
        ("no archive", "SHIP_FAILED"),
        ("no manifest", "SHIP_FAILED"),
        ("changed file", "MANIFEST_MISMATCH"),
        ("added file", "MANIFEST_MISMATCH"),
        ("other manifest", "MANIFEST_MISMATCH"),
        ("escaping member", "PATH_ESCAPES"),
    ],
)
def test_a_damaged_archive_is_not_loaded(seen: Any, corruption: str, code: str) -> None:
    found = seen["corrupt"][corruption]
    assert f"[{code}] " in found["error"]
    assert found["loaded"] is False


def test_a_host_without_a_private_cache(cluster: str, tmp_path: Path) -> None:
    """The package is unpacked into the application's own folder, which Spark removes with it."""
    (tmp_path / "executors").mkdir()
    (tmp_path / "executors").chmod(0o777)
    answers = run(cluster, tmp_path, "answers")["answers"]
    assert answers["equal"] is True
    assert set(Counter(pid for pid, _, _ in answers["loads"]).values()) == {1}
    assert list((tmp_path / "executors").iterdir()) == []
