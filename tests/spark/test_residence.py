"""Where models live: loaded once a worker process, nowhere without rows, and as they were when the UDF was made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spark_models
from spark_models import errors


@pytest.fixture(scope="module")
def rows(spark: Any) -> Any:
    return spark.range(100).selectExpr("cast(id as double) as x")


def double(frame: Any) -> Any:
    return frame["x"] * 2


def test_as_many_loads_as_worker_processes_over_200_partitions(udf: Any, spark: Any, save: Any) -> None:
    model = save(double, {"x": "double"})
    table = spark.range(0, 2000, 1, 200).selectExpr("cast(id as double) as x")
    assert table.rdd.getNumPartitions() == 200
    total = table.select(udf(model, "double")("x").alias("p")).agg({"p": "sum"}).first()[0]
    assert total == 2 * sum(range(2000))
    assert len(model.calls()) == 200
    assert set(Counter(model.loads()).values()) == {1}
    assert set(model.calls()) == set(model.loads())
    assert len(model.loads()) <= spark.sparkContext.defaultParallelism


def test_a_second_query_loads_nothing_in_the_same_processes(udf: Any, rows: Any, save: Any) -> None:
    model = save(double, {"x": "double"})
    for _ in range(3):
        rows.select(udf(model, "double")("x")).collect()
    assert set(Counter(model.loads()).values()) == {1}


def test_an_empty_table_loads_no_model(udf: Any, rows: Any, save: Any) -> None:
    model = save(double, {"x": "double"})
    for result_type in ("double", "array<double>", "struct<x:double>", "map<string,double>", "timestamp"):
        empty = rows.where("x < 0").select(udf(model, result_type)("x").alias("p"))
        assert empty.collect() == []
        assert len(empty.toPandas()) == 0
    assert (model.loads(), model.calls()) == ([], [])


def test_an_empty_partition_loads_no_model(udf: Any, spark: Any, save: Any) -> None:
    model = save(double, {"x": "double"})
    table = spark.range(0, 400, 1, 40).selectExpr("cast(id as double) as x").where("x >= 390")
    assert [row[0] for row in table.select(udf(model, "double")("x")).collect()] == [2.0 * x for x in range(390, 400)]
    assert len(model.calls()) == 1
    assert len(model.loads()) == 1


def test_a_model_of_an_empty_batch_is_not_called(udf: Any, spark: Any, save: Any, configured: Any) -> None:
    model = save(double, {"x": "double"})
    with configured({"spark.sql.execution.arrow.maxRecordsPerBatch": "3"}):
        table = spark.range(0, 6, 1, 1).selectExpr("cast(id as double) as x")
        table.select(udf(model, "double")("x")).collect()
    assert len(model.calls()) == 2


# --- a package that was changed


@pytest.mark.parametrize("change", ["changed", "added", "removed"])
def test_a_package_that_was_changed_is_refused_when_the_udf_is_made(udf: Any, save: Any, change: str) -> None:
    model = save(double, {"x": "double"})
    pickle, extra = Path(model.uri, "python_model.pkl"), Path(model.uri, "extra.txt")
    if change == "changed":
        pickle.write_bytes(pickle.read_bytes() + b"\0")
    elif change == "added":
        extra.write_text("")
    else:
        Path(model.uri, "requirements.txt").unlink()
    with pytest.raises(errors.ManifestMismatchError, match="MANIFEST_MISMATCH"):
        udf(model, "double")


def test_a_package_that_is_changed_after_it_was_placed_is_refused_as_well(udf: Any, save: Any, rows: Any) -> None:
    model = save(double, {"x": "double"})
    predict = udf(model, "double")
    Path(model.uri, "python_model.pkl").write_bytes(b"other")
    with pytest.raises(errors.ManifestMismatchError):
        udf(model, "double")
    assert rows.select(predict("x").alias("p")).agg({"p": "sum"}).first()[0] == 9900.0


def test_a_package_that_is_removed_after_the_udf_was_made_is_scored(udf: Any, save: Any, rows: Any) -> None:
    model = save(double, {"x": "double"})
    predict = udf(model, "double")
    shutil.rmtree(model.uri)
    assert rows.select(predict("x").alias("p")).agg({"p": "sum"}).first()[0] == 9900.0


def test_another_package_than_the_pinned_one(udf: Any, save: Any) -> None:
    model = save(double, {"x": "double"})
    with pytest.raises(errors.HashMismatchError, match="HASH_MISMATCH"):
        udf(model, "double", expected_hash="0" * 64)


def test_no_package(spark: Any, tmp_path: Path) -> None:
    with pytest.raises(errors.ModelNotFoundError):
        spark_models.pyfunc.spark_udf(spark, str(tmp_path / "nothing"))
    with pytest.raises(errors.NotAModelError):
        spark_models.pyfunc.spark_udf(spark, str(tmp_path))


def test_code_may_be_refused(udf: Any, save: Any) -> None:
    model = save(double, {"x": "double"})
    with pytest.raises(errors.CodeNotAllowedError):
        udf(model, "double", allow_code=False)


def test_the_text_of_the_models_own_error_arrives(udf: Any, rows: Any, save: Any, failure: Any) -> None:
    def fails(frame: Any) -> Any:
        raise RuntimeError("the model's own error")

    text = failure(rows.select(udf(save(fails, {"x": "double"}), "double")("x")))
    assert "the model's own error" in text


def test_the_active_session_is_taken(spark: Any, save: Any, rows: Any) -> None:
    predict = spark_models.pyfunc.spark_udf(save(double, {"x": "double"}).uri, result_type="double")
    assert rows.select(predict("x").alias("p")).agg({"p": "sum"}).first()[0] == 9900.0


def test_no_session() -> None:
    code = "import spark_models; spark_models.pyfunc.spark_udf('no model')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        "[NO_SPARK_SESSION] There is no active Spark session.\n"
        "Hint: start one: spark = SparkSession.builder.getOrCreate(), or give it: spark_udf(spark, model_uri)"
    ) in done.stderr


def test_a_method_of_the_model(udf: Any, spark: Any, tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    import spark_models.sklearn as flavor

    points = np.array([[0.0], [1.0], [2.0], [3.0]])
    fitted = LogisticRegression().fit(points, [0, 0, 1, 1])
    flavor.save_model(fitted, str(tmp_path / "m"))
    table = spark.range(4).selectExpr("cast(id as double) as x").coalesce(1)
    predict = udf(str(tmp_path / "m"), "array<double>", method="predict_proba")
    found = [row[0] for row in table.select(predict("x")).collect()]
    assert found == fitted.predict_proba(points).tolist()


class Scaled(spark_models.pyfunc.PythonModel):
    """x by a factor that each call gives."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input["x"] * params["factor"]


def test_parameters_of_a_call(udf: Any, rows: Any, tmp_path: Path) -> None:
    import pandas as pd

    from spark_models.models import infer_signature

    signature = infer_signature(pd.DataFrame({"x": [1.0]}), np.array([1.0]), params={"factor": 2.0})
    spark_models.pyfunc.save_model(str(tmp_path / "m"), python_model=Scaled(), signature=signature)
    uri = str(tmp_path / "m")
    by_default, by_three = udf(uri, "double"), udf(uri, "double", params={"factor": 3.0})
    found = rows.select(by_default("x").alias("a"), by_three("x").alias("b")).agg({"a": "sum", "b": "sum"}).first()
    assert (found["sum(a)"], found["sum(b)"]) == (9900.0, 14850.0)
    with pytest.raises(errors.InvalidParamsError, match="factr"):
        udf(uri, "double", params={"factr": 3.0})
