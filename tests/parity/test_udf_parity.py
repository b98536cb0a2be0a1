"""Same package, same rows: `spark_udf` answers as the loaded model does, however Spark cuts the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models
import spark_models.sklearn as sklearn_flavor
from spark_models.models import infer_signature

pytestmark = pytest.mark.filterwarnings("ignore:The signature has integer columns")

ROWS = 60
PARTITIONS = [1, 3, 7]
BATCHES = ["1", "7", "10000"]


def table() -> pd.DataFrame:
    """Numbers with long tails, integers, text with missing values."""
    random = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "age": random.normal(40, 12, ROWS),
            "income": random.lognormal(10, 1, ROWS),
            "visits": random.integers(0, 9, ROWS).astype("int32"),
            "city": random.choice(np.array(["Oslo", "Łódź", "", None], dtype=object), ROWS),
        }
    )


class NamesMatter(spark_models.pyfunc.PythonModel):
    """A model that takes nothing but its own columns, in their order and types."""

    def predict(self, context: Any, model_input: Any) -> Any:
        assert list(model_input.columns) == ["visits", "city", "age"]
        assert [str(dtype) for dtype in model_input.dtypes] == ["int32", "object", "float64"]
        return model_input["age"] * model_input["visits"] + model_input["city"].isna()


def _logistic_regression(rows: pd.DataFrame, path: str, example: bool = False) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    numbers = rows[["income", "age"]]
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers, rows["visits"] > 4)
    sklearn_flavor.save_model(
        fitted,
        path,
        signature=infer_signature(numbers, fitted.predict_proba(numbers)),
        pyfunc_predict_fn="predict_proba",
        input_example=numbers.head(5) if example else None,
    )


def _matrix_logistic_regression(rows: pd.DataFrame, path: str) -> None:
    """The same, proved at save time to take the bare matrix."""
    _logistic_regression(rows, path, example=True)


def _python_model(rows: pd.DataFrame, path: str) -> None:
    inputs = rows[["visits", "city", "age"]]
    spark_models.pyfunc.save_model(path, python_model=NamesMatter(), signature=infer_signature(inputs, rows["age"]))


def _column_transformer(rows: pd.DataFrame, path: str) -> None:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    inputs = rows[["city", "age", "visits"]]
    columns = ColumnTransformer(
        [("text", OneHotEncoder(handle_unknown="ignore"), ["city"]), ("number", StandardScaler(), ["age", "visits"])]
    )
    label = np.where(rows["income"] > rows["income"].median(), "rich", "not")
    fitted = make_pipeline(columns, RandomForestClassifier(10, random_state=0)).fit(inputs, label)
    sklearn_flavor.save_model(fitted, path, signature=infer_signature(inputs, fitted.predict(inputs)))


def _several_outputs(rows: pd.DataFrame, path: str) -> None:
    from sklearn.linear_model import LinearRegression

    inputs = rows[["age", "income", "visits"]]
    fitted = LinearRegression().fit(inputs, np.stack([rows["income"] / 3, rows["age"] * 2, rows["visits"]], axis=1))
    sklearn_flavor.save_model(fitted, path, signature=infer_signature(inputs, fitted.predict(inputs)))


def _named_outputs(rows: pd.DataFrame, path: str) -> None:
    class Named(spark_models.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any) -> Any:
            return pd.DataFrame({"half": model_input["age"] / 2, "seen": model_input["visits"] > 3})

    inputs = rows[["age", "visits"]]
    outputs = pd.DataFrame({"half": inputs["age"] / 2, "seen": inputs["visits"] > 3})
    spark_models.pyfunc.save_model(path, python_model=Named(), signature=infer_signature(inputs, outputs))


MODELS: dict[str, tuple[Any, str]] = {
    "logistic regression": (_logistic_regression, "array<double>"),
    "logistic regression on a matrix": (_matrix_logistic_regression, "signature"),
    "names matter": (_python_model, "double"),
    "column transformer": (_column_transformer, "string"),
    "several outputs": (_several_outputs, "array<double>"),
    "several outputs by signature": (_several_outputs, "signature"),
    "named outputs by signature": (_named_outputs, "signature"),
}


def plain(answers: Any) -> list[Any]:
    """A model's own answers as the rows that Spark collects."""
    if isinstance(answers, pd.DataFrame):
        return list(answers.itertuples(index=False, name=None))
    return np.asarray(answers).tolist()


@pytest.fixture(scope="module", params=MODELS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, list[Any]]:
    """A package, the result type to ask for, and what the loaded model says of the table."""
    save, result_type = MODELS[request.param]
    path = str(tmp_path_factory.mktemp("parity") / "model")
    rows = table()
    save(rows, path)
    return path, result_type, plain(spark_models.pyfunc.load_model(path).predict(rows))


@pytest.fixture(scope="module")
def spark_table(spark: Any) -> Any:
    rows = table().assign(row=np.arange(ROWS))
    schema = "age double, income double, visits int, city string, row long"
    return spark.createDataFrame(rows.astype(object).where(rows.notna(), None), schema).cache()


def transports() -> list[str]:
    from pyspark.sql import functions as F

    return ["pandas", "arrow"] if hasattr(F, "arrow_udf") else ["pandas"]


@pytest.mark.parametrize("transport", transports())
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("partitions", PARTITIONS)
def test_the_udf_answers_as_the_model(
    spark: Any, spark_table: Any, case: tuple[str, str, list[Any]], partitions: int, batch: str, transport: str
) -> None:
    path, result_type, expected = case
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", batch)
    try:
        predict = spark_models.pyfunc.spark_udf(spark, path, result_type, transport=transport)
        cut = spark_table.repartition(partitions)
        scored = cut.select("row", predict().alias("answer")).orderBy("row").collect()
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    found = [row["answer"] for row in scored]
    if isinstance(expected[0], str):
        assert found == expected
    else:
        np.testing.assert_allclose(np.array(found, float), np.array(expected, float), rtol=1e-12)


def test_the_matrix_of_the_second_model_is_used(tmp_path: Path) -> None:
    _matrix_logistic_regression(table(), str(tmp_path / "m"))
    assert spark_models.models.Model.load(str(tmp_path / "m")).flavors["python_function"]["matrix_input"] is True
