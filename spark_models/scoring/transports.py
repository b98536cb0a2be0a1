"""How batches travel between the JVM and the scorer: as Arrow arrays where Spark has Arrow UDFs, else as pandas Series.

Both end in the same `BatchScorer`, so that the answers do not depend on the Spark version.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from spark_models.bridge.arrow import column_values
from spark_models.errors import InvalidArgumentError
from spark_models.scoring.incoming import ArrowBatch, PandasBatch
from spark_models.scoring.scorer import BatchScorer

TRANSPORTS = ("arrow", "pandas")
"""The transports of a UDF; `score` has "map" as well."""


def has_arrow_udf() -> bool:
    """Whether this pyspark has Arrow-native UDFs: 4.1 and later."""
    return hasattr(F, "arrow_udf")


def choose_transport(asked: str | None) -> str:
    """The transport that is asked for, or the best one that this pyspark has.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] this pyspark has not the one that is asked for.
    """
    if asked is None:
        return "arrow" if has_arrow_udf() else "pandas"
    if asked not in TRANSPORTS:
        raise InvalidArgumentError(f"The transport {asked!r} is unknown", f"choose one of {list(TRANSPORTS)}")
    if asked == "arrow" and not has_arrow_udf():
        raise InvalidArgumentError("This pyspark has no Arrow UDFs", "use transport='pandas', or pyspark 4.1 or later")
    return asked


def make_udf(scorer: BatchScorer, transport: str) -> Any:
    """The pyspark UDF that scores with `scorer`."""
    made = _arrow_udf(scorer) if transport == "arrow" else _pandas_udf(scorer)
    # A filter on what it gives would else be moved before it, with a call of its own: rows would be counted twice.
    return made if scorer.meter is None else made.asNondeterministic()


def _arrow_udf(scorer: BatchScorer) -> Any:
    def predict(*columns):  # type: ignore[no-untyped-def] # pyspark reads the annotations that are set below
        return scorer.run(ArrowBatch(columns))

    predict.__annotations__ = {"columns": pa.Array, "return": pa.Array}
    arrow_udf: Any = F.arrow_udf  # type: ignore[attr-defined, unused-ignore] # pyspark 4.1
    return arrow_udf(predict, returnType=scorer.ddl)


def _pandas_udf(scorer: BatchScorer) -> Any:
    is_struct = scorer.envelope or scorer.result_type.kind == "struct"

    def predict(*columns):  # type: ignore[no-untyped-def] # pyspark reads the annotations that are set below
        scored = scorer.run(PandasBatch(columns))
        return _struct_frame(scored) if is_struct else _series(scored)

    predict.__annotations__ = {"columns": pd.Series, "return": pd.DataFrame if is_struct else pd.Series}
    make: Any = pandas_udf  # its stubs know no variadic function
    return make(predict, returnType=scorer.ddl)


class ArrowSeries(pd.Series):  # type: ignore[misc] # pandas has no types here
    """A Series over an Arrow array that Spark turns back into that very array, without a pass over its values.

    Spark 3.5 to 4.2 converts lists, maps and structs of a pandas UDF value by value, through `Series.apply`; what is
    Arrow already needs none of it.
    """

    @property
    def _constructor(self) -> Any:
        return ArrowSeries

    def apply(self, *arguments: Any, **options: Any) -> Any:
        """The Series itself."""
        return self


def _series(scored: pa.Array) -> Any:
    return ArrowSeries(pd.arrays.ArrowExtensionArray(scored))


def _struct_frame(scored: pa.Array) -> Any:
    """A DataFrame of a struct's fields. A frame loses its columns' class, so nested fields go as Python objects."""
    columns = {}
    for position, field in enumerate(scored.type):
        values = scored.field(position)
        nested = pa.types.is_nested(field.type)
        columns[field.name] = pd.Series(column_values(values)) if nested else _series(values)
    return pd.DataFrame(columns)
