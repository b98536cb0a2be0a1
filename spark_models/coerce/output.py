"""A model's output as columns: whatever form it has, one column an output, one value a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spark_models.bridge.pandas import column_array
from spark_models.errors import RowCountError, UnsupportedOutputError


@dataclass(frozen=True, slots=True)
class Column:
    """One output: its name, its values (a 1-D numpy or pandas array) and its dtype."""

    name: str
    values: Any

    @property
    def dtype(self) -> Any:
        """The dtype that decides which result types the column fits."""
        return self.values.dtype


@dataclass(frozen=True, slots=True)
class Output:
    """An output: a numeric matrix of shape (rows, outputs) where all are of one dtype, else columns.

    `uniform` says that the columns are the places of lists, so that one without a value in this batch counts as well.
    """

    columns: tuple[Column, ...]
    matrix: Any = None
    uniform: bool = False


def output_columns(output: Any, rows: int) -> Output:
    """The columns of a model's output for `rows` rows.

    | output | columns |
    | --- | --- |
    | DataFrame, Arrow table, dict of columns, list of records or rows | as they are |
    | Series, 1-D array, flat list | one, "0" |
    | 2-D array, sparse matrix | one for each column of it |
    | array of more axes | one for each value of a row, flattened |
    | structured array | one for each field |

    Raises:
        UnsupportedOutputError: [UNSUPPORTED_OUTPUT] a scalar, or an object of no kind above.
        RowCountError: [ROW_COUNT] another number of rows.
    """
    columns = _columns(output)
    found = _length(columns)
    if found is not None and found != rows:
        raise RowCountError(rows, found)
    return columns


def _length(output: Output) -> int | None:
    if output.matrix is not None:
        return len(output.matrix)
    return None if output.columns == () else len(output.columns[0].values)


def _columns(output: Any) -> Output:
    import pandas as pd

    if isinstance(output, np.ndarray):
        return _from_array(output)
    if isinstance(output, pd.DataFrame):
        return _from_frame(output)
    if isinstance(output, pd.Series):
        return Output((Column("0", _values(column_array(output))),))
    if isinstance(output, (list, tuple)):
        return _from_list(list(output))
    if isinstance(output, dict):
        return _from_dict(output)
    if hasattr(output, "toarray"):
        return _from_array(output.toarray())
    if type(output).__module__.partition(".")[0] == "pyarrow":
        return _from_arrow(output)
    raise UnsupportedOutputError(f"a {type(output).__name__}")


def _values(values: Any) -> Any:
    """Values in a form that the rules know: numpy in this machine's byte order, or pandas' nullable or zoned arrays."""
    import pandas as pd

    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return values if dtype.isnative else values.astype(dtype.newbyteorder("="))
    if isinstance(dtype, pd.ArrowDtype):
        return _arrow_values(values.__arrow_array__())
    return np.asarray(values) if isinstance(dtype, pd.SparseDtype) else values


def _arrow_values(values: Any) -> Any:
    """An Arrow column; one of zoned timestamps keeps its zone, for a datetime without one is read in the session's."""
    from spark_models.bridge.arrow import column_values

    if getattr(values.type, "tz", None) is not None:
        return values.to_pandas().array
    return column_values(values)


def _from_array(array: np.ndarray[Any, Any]) -> Output:
    if array.ndim == 0:
        raise UnsupportedOutputError("a single value")
    if array.dtype.names is not None:
        return _from_dict({name: array[name] for name in array.dtype.names})
    native = _values(array)
    if native.ndim == 1:
        return Output((Column("0", native),))
    matrix = native if native.ndim == 2 else native.reshape(len(native), -1)
    columns = tuple(Column(str(position), matrix[:, position]) for position in range(matrix.shape[1]))
    # The matrix of a masked array would give what is under its mask.
    numeric = matrix.dtype.kind in "fiu" and columns != () and not isinstance(matrix, np.ma.MaskedArray)
    return Output(columns, matrix if numeric else None)


def _from_frame(frame: Any, uniform: bool = False) -> Output:
    columns = tuple(
        Column(str(label), _values(column_array(frame.iloc[:, position])))
        for position, label in enumerate(frame.columns)
    )
    dtypes = {column.dtype for column in columns}
    single = next(iter(dtypes)) if len(dtypes) == 1 else None
    numeric = isinstance(single, np.dtype) and single.kind in "fiu"
    return Output(columns, frame.to_numpy(single) if numeric else None, uniform)


def _from_list(values: list[Any]) -> Output:
    import pandas as pd

    if values != [] and all(isinstance(item, dict) for item in values):
        return _from_frame(pd.DataFrame(values))
    if values != [] and all(_is_row(item) for item in values):
        lengths = {len(item) for item in values}
        if len(lengths) == 1 and lengths != {0}:
            return _from_rows(values)
        ragged = np.empty(len(values), dtype=object)
        ragged[:] = values
        return Output((Column("0", ragged),))
    scalars = [item[()] if isinstance(item, np.ndarray) and item.ndim == 0 else item for item in values]
    return Output((Column("0", column_array(pd.Series(scalars, dtype=object if scalars == [] else None))),))


def _is_row(item: Any) -> bool:
    return isinstance(item, (list, tuple)) or isinstance(item, np.ndarray) and item.ndim > 0


def _from_rows(rows: list[Any]) -> Output:
    import pandas as pd

    if all(isinstance(row, np.ndarray) for row in rows) and len({row.shape for row in rows}) == 1:
        return _from_array(np.stack(rows))
    return _from_frame(pd.DataFrame([list(row) for row in rows]), uniform=True)


def _from_dict(output: dict[Any, Any]) -> Output:
    columns: list[Column] = []
    for name, values in output.items():
        if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
            raise UnsupportedOutputError(f"a dict whose value {str(name)!r} is no column")
        part = _columns(values)
        if len(part.columns) == 1:
            columns.append(Column(str(name), part.columns[0].values))
        else:
            columns.extend(Column(f"{name}.{column.name}", column.values) for column in part.columns)
    lengths = {len(column.values) for column in columns}
    if len(lengths) > 1:
        raise UnsupportedOutputError(f"a dict of columns of different lengths {sorted(lengths)}")
    return Output(tuple(columns))


def _from_arrow(output: Any) -> Output:
    if hasattr(output, "column_names"):
        names = output.column_names
        return Output(tuple(Column(name, _arrow_values(output.column(at))) for at, name in enumerate(names)))
    if hasattr(output, "type"):
        return Output((Column("0", _arrow_values(output)),))
    raise UnsupportedOutputError(f"a {type(output).__name__}")
