"""`Model`: fields, unknown keys, and files that say nonsense."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

import spark_models
from spark_models.errors import InvalidMLmodelError, InvalidSchemaError, NoRegistryError, SparkModelsError
from spark_models.models import Model, ModelSignature
from spark_models.package.manifest import verify_manifest
from spark_models.types import ColSpec, Schema

MOMENT = datetime.datetime(2026, 1, 31, 12, 0, 0, 123456)


def _model() -> Model:
    signature = ModelSignature(Schema([ColSpec("double", "x")]), Schema([ColSpec("long")]))
    return Model("path", "run", MOMENT, signature=signature, metadata={"a": [1, None]}, model_uuid="u").add_flavor(
        "mine", file="a.bin", options={"deep": [1.5, True]}
    )


@pytest.mark.parametrize("form", ["", "MLmodel"])
def test_a_model_is_the_same_after_its_file(tmp_path: Path, form: str) -> None:
    model = _model()
    model.save(tmp_path / "new" / form)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["MLmodel"]
    for path in (tmp_path / "new", tmp_path / "new" / "MLmodel", f"file://{tmp_path}/new"):
        again = Model.load(path)
        assert again == model
        assert (again.signature, again.time_created, again.flavors) == (model.signature, MOMENT, model.flavors)


def test_add_flavor_gives_the_model_and_replaces(tmp_path: Path) -> None:
    model = Model()
    assert model.add_flavor("a", x=1).add_flavor("b") is model
    assert model.add_flavor("a", y=2).flavors == {"a": {"y": 2}, "b": {}}


KEYS = ["self", "cls", "source", "other", "content", "path", "model_uuid", "flavours", "run id", "utc_time"]


@pytest.mark.parametrize("key", KEYS)
def test_keys_of_others_survive(tmp_path: Path, key: str) -> None:
    content = {**_model().to_dict(), key: {"kept": [1, "é"]}}
    Model.from_dict(content).save(tmp_path)
    assert Model.load(tmp_path).to_dict() == content


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("flavors", [1]),
        ("flavors", {"a": "text"}),
        ("example_predictions", "text"),
        ("example_predictions", [1]),
        ("input_example", 5),
        ("saved_input_example_info", ["x"]),
        ("time_created", "yesterday"),
        ("time_created", "0001-01-01T00:00:00+05:00"),
        ("time_created", [1]),
        ("signature", "text"),
        ("signature", {"inputs": [datetime.date(2020, 1, 1)]}),
        ("signature", {"inputs": "[{]"}),
        ("signature", {}),
    ],
)
def test_a_field_of_the_wrong_form_is_refused(key: str, value: Any) -> None:
    with pytest.raises((InvalidMLmodelError, InvalidSchemaError)):
        Model.from_dict({"flavors": {}, key: value})


@pytest.mark.parametrize("content", [None, [], "text", {1: 2}])
def test_no_mapping_is_no_model(content: Any) -> None:
    with pytest.raises(InvalidMLmodelError):
        Model.from_dict(content)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00.123456",
        "2026-01-31 12:00:00.123456",
        "2026-01-31T12:00:00.123456Z",
        "2026-01-31T14:00:00.123456+02:00",
        "2026-01-31T12:00:00.1234569",
    ],
)
def test_times_of_every_writer_are_read(text: str) -> None:
    assert Model.from_dict({"time_created": text}).time_created == MOMENT
    assert Model.from_dict({"utc_time_created": text}).time_created == MOMENT


def test_saving_into_a_package_renews_its_manifest(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    spark_models.sklearn.save_model(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path / "m")
    before = verify_manifest(tmp_path / "m")
    model = Model.load(tmp_path / "m").add_flavor("mine", x=1)
    model.save(tmp_path / "m")
    assert verify_manifest(tmp_path / "m") != before
    assert "mine" in Model.load(tmp_path / "m").flavors


class Flavor:
    """What `Model.log` takes: anything with a `save_model`."""

    @staticmethod
    def save_model(path: str, mlflow_model: Model, note: str) -> None:
        mlflow_model.add_flavor("mine", note=note).save(path)


def test_a_flavor_of_your_own_is_logged() -> None:
    with spark_models.start_run() as run:
        logged = Model.log("some/place", Flavor, note="é")
    assert logged.model_uri == f"runs:/{run.info.run_id}/some/place"
    model = Model.load(logged.model_uri)
    assert (model.flavors, model.run_id, model.artifact_path) == (
        {"mine": {"note": "é"}},
        run.info.run_id,
        "some/place",
    )
    with pytest.raises(NoRegistryError):
        Model.log("other", Flavor, registered_model_name="churn", note="")


def test_an_attribute_that_nobody_wrote_is_none_of_ours() -> None:
    assert _model().metadata == {"a": [1, None]}
    with pytest.raises(AttributeError, match="nonsense"):
        _ = _model().nonsense
    with pytest.raises(SparkModelsError):
        Model(signature="text")  # type: ignore[arg-type]
