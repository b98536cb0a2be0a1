"""The files to begin with: a job file that is one, and a bundle that Databricks' own classes take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import spark_models
from spark_models.cli import cli
from spark_models.jobs.reading import parse_job
from spark_models.jobs.templates import bundle_files
from spark_models.models import ModelSignature
from spark_models.types.schema import ColSpec, Schema


class Double(spark_models.pyfunc.PythonModel):
    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input["age"] * 2


@pytest.fixture
def package(tmp_path: Path) -> str:
    path = tmp_path / "models" / "Churn Model"
    signature = ModelSignature(Schema([ColSpec("double", "age"), ColSpec("string", "a\nb: #")]))
    spark_models.pyfunc.save_model(path, python_model=Double(), signature=signature)
    return str(path)


def test_a_job_file_names_the_columns_and_pins_the_package(package: str, tmp_path: Path) -> None:
    file = tmp_path / "conf" / "churn.yaml"
    done = CliRunner().invoke(cli, ["init", "job", "-m", package, "-o", str(file)])
    assert (done.exit_code, done.exception) == (0, None)
    text = file.read_text()
    job = parse_job(text)
    assert (job.name, job.model.uri, len(str(job.model.expected_hash))) == ("churn-model", package, 64)
    assert "#   age: double\n#   a?b: #: string\n" in text
    assert job.sink.where == "day = '2026-01-31'"


def test_a_file_that_is_there_is_left_as_it_is(package: str, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("mine")
    done = CliRunner().invoke(cli, ["init", "job", "-m", package, "-o", str(file)])
    assert done.exit_code == 1
    assert "[INVALID_ARGUMENT]" in done.output
    assert file.read_text() == "mine"


def test_the_bundle_is_what_databricks_classes_take(package: str) -> None:
    """Their classes are made of the bundle's published schema; a key that is not in it raises."""
    from databricks.bundles.jobs import Job

    files = bundle_files(package, name="Churn, nightly")
    bundle = yaml.safe_load(files["databricks.yml"])
    assert set(bundle) == {"bundle", "variables", "include", "targets"}
    assert bundle["bundle"]["name"] == "churn_nightly"
    (plain,) = yaml.safe_load(files["resources/score.job.yml"])["resources"]["jobs"].values()
    made = Job.from_dict(plain)
    (task,) = made.as_dict()["tasks"]
    assert task["python_wheel_task"]["entry_point"] == "spark-models-job"
    assert task["python_wheel_task"]["parameters"][1:] == ["--set", "day={{job.parameters.day}}"]
    with pytest.raises(Exception, match="nope"):
        Job.from_dict({**plain, "nope": 1})
    assert parse_job(files["conf/job.yaml"], ["day=2026-02-01"]).name == "Churn, nightly"


def test_the_entry_point_of_the_wheel_is_there() -> None:
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    # Python 3.10 has no reader of TOML.
    (line,) = [line for line in text.splitlines() if line.startswith("spark-models-job = ")]
    module, function = line.partition(" = ")[2].strip('"').split(":")
    assert callable(getattr(__import__(module, fromlist=[function]), function))


def test_a_bundle_is_written(package: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["init", "databricks", "-m", package, "-o", str(tmp_path / "bundle")])
    assert (done.exit_code, done.exception) == (0, None)
    written = sorted(str(path.relative_to(tmp_path / "bundle")) for path in (tmp_path / "bundle").rglob("*.y*ml"))
    assert written == ["conf/job.yaml", "databricks.yml", "resources/score.job.yml"]
