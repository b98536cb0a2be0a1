"""Frames that hypothesis makes: what a model gives back comes out of Spark as it went in, however the table is cut."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import spark_models
from spark_models.types.schema import Array, ColSpec, DataType

MOMENTS = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2200, 1, 1))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
VALUES: dict[str, tuple[DataType | Array, str, st.SearchStrategy[Any]]] = {
    "flag": (DataType.boolean, "boolean", st.booleans()),
    "small": (DataType.integer, "int", st.integers(-(2**31), 2**31 - 1)),
    "large": (DataType.long, "bigint", st.integers(-(2**63), 2**63 - 1)),
    "single": (DataType.float, "float", st.floats(width=32)),
    "double": (DataType.double, "double", st.floats()),
    "text": (DataType.string, "string", st.none() | TEXTS),
    "raw": (DataType.binary, "binary", st.none() | st.binary(max_size=8)),
    "at": (DataType.datetime, "timestamp", st.none() | MOMENTS),
    "maybe": (DataType.long, "bigint", st.none() | st.integers(-(2**53), 2**53)),
    "numbers": (Array(DataType.double), "array<double>", st.lists(st.floats(allow_nan=False), max_size=3)),
    "words": (Array(DataType.string), "array<string>", st.lists(TEXTS, max_size=3)),
}
"""Each column's declared type, its Spark type, and its values; "maybe" is optional."""
INPUTS = {name: ColSpec(kind, name, required=name != "maybe") for name, (kind, _, _) in VALUES.items()}
ROWS = st.lists(st.tuples(*[values for _, _, values in VALUES.values()]), min_size=1, max_size=12)


def plain(value: Any) -> Any:
    """A value as both sides have it: NaN, NaT, NA and null are one, -0.0 is not 0.0, and arrays are lists."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, list):
        return [plain(item) for item in value]
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, (float, np.floating)):
        return float(value).hex()
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat()
    return value.item() if isinstance(value, np.generic) else value


def local_frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """The rows as a user of pandas has them."""
    dtypes = {"small": "int32", "large": "int64", "single": "float32", "double": "float64", "flag": "bool"}
    frame = pd.DataFrame({name: list(column) for name, column in zip(VALUES, zip(*rows, strict=True), strict=True)})
    return frame.astype(dtypes).astype({"maybe": "Int64", "at": "datetime64[us]"} if len(rows) > 0 else {})


def table_of(rows: Any) -> list[list[Any]]:
    return [[plain(value) for value in row] for row in rows]


@pytest.fixture(scope="module")
def echo(save: Any) -> Any:
    """A model that gives back what it gets."""
    return save(lambda frame: frame, INPUTS, INPUTS, split_invariant=True)


@pytest.fixture(scope="module")
def loaded(echo: Any) -> Any:
    return spark_models.pyfunc.load_model(echo.uri)


@given(rows=ROWS)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_the_local_model_gives_back_what_it_gets(loaded: Any, rows: list[tuple[Any, ...]]) -> None:
    answers = loaded.predict(local_frame(rows))
    assert table_of(zip(*[answers[name].tolist() for name in VALUES], strict=True)) == table_of(rows)


@given(rows=ROWS, partitions=st.integers(1, 4), batch=st.sampled_from([1, 2, 5, 10_000]), bound=st.integers(1, 5))
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_spark_gives_back_what_it_gets(
    spark: Any,
    configured: Any,
    transport: str,
    echo: Any,
    rows: list[tuple[Any, ...]],
    partitions: int,
    batch: int,
    bound: int,
) -> None:
    ddl = ", ".join(f"{name} {kind}" for name, (_, kind, _) in VALUES.items())
    options = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(batch),
    }
    with configured(options):
        at = list(VALUES).index("at")
        zoned = [
            (
                number,
                *row[:at],
                None if row[at] is None else row[at].replace(tzinfo=datetime.timezone.utc),
                *row[at + 1 :],
            )
            for number, row in enumerate(rows)
        ]
        table = spark.createDataFrame(zoned, f"row long, {ddl}").repartition(partitions)
        by_udf = spark_models.pyfunc.spark_udf(spark, echo.uri, "signature", transport=transport, batch_rows=bound)
        scored = table.select("row", by_udf().alias("p")).select("row", "p.*")
        by_udf_rows = scored.orderBy("row").drop("row").collect()
        map_transport = "map" if transport == "pandas" else transport
        scored = spark_models.score(table, echo.uri, transport=map_transport, on_error="quarantine").orderBy("row")
        by_score_rows = scored.select(*[f"prediction_{name}" for name in VALUES]).collect()
        codes = {row[0] for row in scored.select("prediction_error_code").collect()}
    expected = table_of(rows)
    for found in (by_udf_rows, by_score_rows):
        assert table_of(shown(row) for row in found) == expected
    assert codes == {None}


def shown(row: Any) -> list[Any]:
    """A row of Spark; pyspark gives an instant in this process' zone."""
    return [value.astimezone(datetime.timezone.utc) if isinstance(value, datetime.datetime) else value for value in row]
