"""Runs: which one a model is logged into, and the URIs by which it is found again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spark_models
from spark_models import errors


class Same(spark_models.pyfunc.PythonModel):
    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input


@pytest.fixture(autouse=True)
def no_run_is_active() -> Iterator[None]:
    """A run that a test leaves open is not the next one's."""
    while spark_models.active_run() is not None:
        spark_models.end_run()
    yield
    while spark_models.active_run() is not None:
        spark_models.end_run()


def _log(place: str = "model", **options: Any) -> Any:
    return spark_models.pyfunc.log_model(place, python_model=Same(), **options)


def test_nested_runs_end_one_by_one() -> None:
    with spark_models.start_run() as outer:
        assert spark_models.active_run() == outer
        with spark_models.start_run() as inner:
            assert _log().run_id == inner.info.run_id != outer.info.run_id
        assert spark_models.active_run() == outer
        assert _log().run_id == outer.info.run_id
    assert spark_models.active_run() is None
    spark_models.end_run()


def test_a_run_ends_with_its_block_after_an_error_and_after_end_run() -> None:
    with pytest.raises(RuntimeError), spark_models.start_run():
        raise RuntimeError
    assert spark_models.active_run() is None
    with spark_models.start_run() as outer, spark_models.start_run():
        spark_models.end_run()
        assert spark_models.active_run() == outer
    assert spark_models.active_run() is None


def test_without_a_run_one_is_started() -> None:
    logged = _log()
    active = spark_models.active_run()
    assert active is not None
    assert logged.run_id == active.info.run_id
    assert logged.model_uri == f"runs:/{logged.run_id}/model"


@pytest.mark.parametrize("form", ["runs:/{}/a/b", "runs:/{}/a/b/", "runs://{}/a/b"])
def test_a_logged_model_is_found_by_its_uri(form: str) -> None:
    logged = _log("a/b")
    loaded = spark_models.load_model(form.format(logged.run_id))
    assert loaded.predict([1, 2]) == [1, 2]
    assert (loaded.metadata.run_id, loaded.metadata.artifact_path) == (logged.run_id, "a/b")


def test_an_earlier_run_is_taken_up_again() -> None:
    with spark_models.start_run() as run:
        _log("first")
    with spark_models.start_run(run.info.run_id) as again:
        assert again == run
        _log("second")
    for place in ("first", "second"):
        assert spark_models.load_model(f"runs:/{run.info.run_id}/{place}").predict(1) == 1


@pytest.mark.parametrize("run_id", ["no-such-run", "", "../x", "a/b", ".", "x" * 65])
def test_a_run_that_is_not_there(run_id: str) -> None:
    with pytest.raises(errors.RunNotFoundError):
        spark_models.start_run(run_id)
    assert spark_models.active_run() is None


@pytest.mark.parametrize("uri", ["runs:/no-such-run/model", "runs:/{}/no-such-model"])
def test_a_logged_model_that_is_not_there(uri: str) -> None:
    with pytest.raises(errors.ModelNotFoundError):
        spark_models.load_model(uri.format(_log().run_id))


@pytest.mark.parametrize("uri", ["runs:", "runs:/", "runs:/../model", "runs:/a b/model", "runs:/.."])
def test_what_is_no_run_uri(uri: str) -> None:
    with pytest.raises(errors.UnsupportedUriError):
        spark_models.load_model(uri)


@pytest.mark.parametrize("path", ["../../x", "/tmp", "a/../../x", "a\\..\\..\\x"])
def test_no_path_leads_out_of_a_run(path: str) -> None:
    run_id = _log().run_id
    with pytest.raises(errors.PathEscapesError):
        spark_models.load_model(f"runs:/{run_id}/a/../{path}")
    with pytest.raises(errors.PathEscapesError):
        _log(path)


def test_a_place_in_a_run_is_taken_once() -> None:
    with spark_models.start_run():
        first = _log()
        with pytest.raises(errors.ModelPathExistsError):
            _log()
        assert spark_models.load_model(first.model_uri).predict(5) == 5


def test_without_a_registry_nothing_is_registered() -> None:
    with spark_models.start_run() as run:
        with pytest.raises(errors.NoRegistryError) as caught:
            _log(registered_model_name="churn")
        assert list(run.artifacts.iterdir()) == []
    assert "'churn'" in str(caught.value)


def test_a_failed_log_leaves_no_model() -> None:
    with spark_models.start_run() as run:
        with pytest.raises(errors.InvalidArgumentError):
            _log("deep/model", code_paths=["no/such/code.py"])
        assert list(run.artifacts.iterdir()) == []


def test_runs_live_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_MODELS_HOME", str(tmp_path / "runs"))
    logged = _log()
    assert (tmp_path / "runs" / logged.run_id / "artifacts" / "model" / "MLmodel").is_file()
    monkeypatch.setenv("SPARK_MODELS_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(errors.ModelNotFoundError):
        spark_models.load_model(logged.model_uri)
