"""Facts of the Models document about Spark; each test names the fact's id."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyspark.sql.pandas import functions as kinds

KINDS = {"pandas": kinds.PandasUDFType.SCALAR}
if hasattr(kinds, "ArrowUDFType"):
    KINDS["arrow"] = kinds.ArrowUDFType.SCALAR


def test_a_udf_gives_one_value_or_values_of_one_type_a_row(udf: Any, spark: Any, save: Any, transport: str) -> None:
    """doc.spark.udf_limits

    On Spark 4.1 and later the UDF is by default the same kind over Arrow; `transport="pandas"` is the document's.
    """
    model = save(lambda frame: np.stack([frame["x"], frame["x"] + 1], axis=1), {"x": "double"})
    table = spark.range(3).selectExpr("cast(id as double) as x").coalesce(1)
    one, several = udf(model, "double"), udf(model, "array<double>")
    assert {one.evalType, several.evalType} == {KINDS[transport]}
    assert [row[0] for row in table.select(one()).collect()] == [0.0, 1.0, 2.0]
    assert [row[0] for row in table.select(several()).collect()] == [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]
