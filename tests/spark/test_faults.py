"""What goes wrong in the middle of a job: the answer is right or there is an error with the cause."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spark_models
from spark_models.errors import CacheFullError
from spark_models.store.cache import release

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A file system of two megabytes; None where this user may not mount one."""
    path = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(path)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield None
        return
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture(scope="module")
def seen(spark_environment: None, small_disk: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a driver with executors of its own saw; one process for all tests that need it."""
    folder = tmp_path_factory.mktemp("faults")
    environment = dict(os.environ, PYTHONPATH=str(ROOT), SPARK_MODELS_CACHE=str(folder / "cache"))
    disk = [] if small_disk is None else [str(small_disk)]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "faults_driver.py"), str(folder), *disk],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1])


RIGHT = {"wrong": [], "repeated": [], "counted": 200}


def test_a_worker_that_is_killed_in_a_batch_costs_a_task_and_no_row(seen: Any) -> None:
    found = seen["killed_in_a_batch"]
    assert found.pop("asked") >= 2
    assert found == RIGHT


def test_a_worker_that_is_killed_while_it_loads_the_model(seen: Any) -> None:
    found = seen["killed_on_loading"]
    assert found.pop("asked") >= 2
    assert found == RIGHT


def test_a_model_that_kills_every_worker_fails_the_job_and_the_cause_is_said(seen: Any) -> None:
    found = seen["killed_always"]
    assert "Python worker exited unexpectedly" in found["error"]
    assert found["asked"] >= 3


def test_a_full_disk_on_an_executor_is_said_and_leaves_room_for_others(seen: Any, small_disk: Path | None) -> None:
    if small_disk is None:
        pytest.skip("this user may not mount a small file system")
    error = seen["full_disk"]["large"]["error"]
    assert "[CACHE_FULL] The package cache can't take another package: No space left on device." in error
    assert f"Where: {small_disk}" in error
    assert seen["full_disk"]["small"] == RIGHT
    assert [path.name for path in small_disk.iterdir() if path.is_dir()] != []


def test_a_full_disk_on_the_driver_is_said_when_the_udf_is_made(
    udf: Any, save: Any, small_disk: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small_disk is None:
        pytest.skip("this user may not mount a small file system")
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"x" * 3_000_000)
    model = save(lambda frame: frame["x"], {"x": "double"}, artifacts={"weights": str(weights)})
    with monkeypatch.context() as patch:
        patch.setenv("SPARK_MODELS_CACHE", str(small_disk))
        with pytest.raises(CacheFullError):
            udf(model, "double")
    assert udf(model, "double") is not None


@pytest.fixture(scope="module")
def rows(spark: Any) -> Any:
    return spark.range(0, 40, 1, 2).selectExpr("cast(id as double) as x")


def test_a_killed_worker_where_no_task_is_tried_again(udf: Any, rows: Any, save: Any, failure: Any) -> None:
    """In local mode a task has one attempt: the job fails, and the next one is right."""

    def predict(frame: Any) -> Any:
        import os
        import signal

        if bool((frame["x"] == 0).any()):
            os.kill(os.getpid(), signal.SIGKILL)
        return frame["x"] * 2

    predicted = udf(save(predict, {"x": "double"}), "double", on_error="null")
    assert "Python worker exited unexpectedly" in failure(rows.select(predicted("x")))
    found = [row[0] for row in rows.where("x > 0").select(predicted("x")).collect()]
    assert found == [2.0 * x for x in range(1, 40)]


def test_a_model_that_ends_its_process_fails_the_job(udf: Any, rows: Any, save: Any, failure: Any) -> None:
    def predict(frame: Any) -> Any:
        raise SystemExit(0)

    text = failure(rows.select(udf(save(predict, {"x": "double"}), "double", on_error="null")("x")))
    assert "SystemExit" in text or "Python worker exited unexpectedly" in text


def test_a_copy_that_has_gone_from_the_cache_is_said(udf: Any, rows: Any, save: Any, failure: Any) -> None:
    """Somebody empties the cache between the making of the UDF and the job; making it again mends it."""
    model = save(lambda frame: frame["x"], {"x": "double"})
    predicted = udf(model, "double")
    copy = Path(predicted.scorer.package.driver_root)
    copy.rename(copy.with_name(f"gone-{time.time_ns()}"))  # once a transport
    text = failure(rows.select(predicted("x")))
    assert "[SHIP_FAILED] " in text
    assert f"{copy} is not on this host" in text
    assert rows.select(udf(model, "double")("x")).count() == 40


def test_the_drivers_copy_is_held_and_survives_a_small_bound(
    udf: Any, rows: Any, save: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the cache may be: what a UDF of this process names is not removed."""
    monkeypatch.setenv("SPARK_MODELS_CACHE_BYTES", "1")
    first = udf(save(lambda frame: frame["x"] + 1, {"x": "double"}), "double")
    second = udf(save(lambda frame: frame["x"] + 2, {"x": "double"}), "double")
    assert [row[0] for row in rows.limit(2).select(first("x")).collect()] == [1, 2]
    assert [row[0] for row in rows.limit(2).select(second("x")).collect()] == [2, 3]


def test_what_no_process_uses_goes_and_is_copied_again(udf: Any, save: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, other = (save(lambda frame: frame["x"], {"x": "double"}, metadata={"n": n}) for n in range(2))
    copy = Path(udf(model, "double").scorer.package.driver_root)
    release(copy)
    monkeypatch.setenv("SPARK_MODELS_CACHE_BYTES", "1")
    udf(other, "double")
    assert not copy.exists()
    assert udf(model, "double").scorer.package.driver_root == str(copy)
    assert copy.is_dir()


def test_a_driver_that_is_killed_while_it_copies_leaves_nothing_that_is_taken_for_a_package(
    save: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that waited for it copies the package itself."""
    weights = tmp_path / "weights.bin"
    weights.write_bytes(os.urandom(1 << 20) * 40)
    model = save(lambda frame: frame["x"], {"x": "double"}, artifacts={"weights": str(weights)})
    cache = tmp_path / "cache"
    monkeypatch.setenv("SPARK_MODELS_CACHE", str(cache))
    code = (
        "import sys, types, spark_models.scoring.place as place\n"
        "from spark_models.package.reader import open_package\n"
        "context = types.SimpleNamespace(master='local[2]')\n"
        "spark = types.SimpleNamespace(_sc=context)\n"
        "print(place.place(spark, open_package(sys.argv[1])).driver_root)\n"
    )
    command = [sys.executable, "-c", code, model.uri]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while not list(cache.glob(".*/artifacts/weights.bin")) and first.poll() is None:
        pass
    second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    first.kill()
    first.communicate()
    root = Path(second.communicate(timeout=120)[0].strip())
    assert second.returncode == 0
    assert spark_models.pyfunc.load_model(root).metadata.signature is not None
    assert [path.name for path in cache.iterdir() if not path.name.startswith(".")] == [root.name]
