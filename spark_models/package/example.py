"""Input examples, and the predictions on them: stored as JSON, read back as what was given."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spark_models.bridge import json as json_bridge
from spark_models.errors import InvalidExampleError, InvalidPackageError
from spark_models.package.layout import EXAMPLE
from spark_models.schema.schema import Schema
from spark_models.store.paths import inside

MAX_EXAMPLE = 64 * 1024 * 1024
"""Bytes of an example file that are read; an example is a handful of rows."""

_TENSOR = {"type": "ndarray", "format": "tf-serving", "params": "true"}
"""`params`: only where it stands MLflow 2.22 and 3 take the example from under `inputs`, as 1.20 and 2.9 always do."""
_FRAME = {"type": "dataframe", "pandas_orient": "split"}


def normalise_example(example: Any) -> Any:
    """The DataFrame, array or dict of arrays that an example stands for.

    | given | example |
    | --- | --- |
    | DataFrame, Series | itself, index dropped |
    | dict of scalars | one record |
    | list of dicts, of lists, of 1-D arrays | a batch of records |
    | list of scalars | one record without names |
    | numpy array, dict of arrays | a batch of tensors |

    Raises:
        InvalidExampleError: [INVALID_EXAMPLE] anything else, a Spark DataFrame or a list of matrices among it.
    Source: the Models document, "Model Input Example".
    """
    import pandas as pd

    if isinstance(example, pd.DataFrame):
        if example.columns.nlevels > 1:
            raise InvalidExampleError("its columns have several levels", "name each column by one text")
        return example.reset_index(drop=True)
    if isinstance(example, pd.Series):
        return example.reset_index(drop=True).to_frame(example.name if example.name is not None else 0)
    if isinstance(example, np.ndarray):
        return example
    if isinstance(example, dict):
        return _from_dict(example)
    if isinstance(example, (list, tuple)):
        return _from_list(list(example))
    if type(example).__module__.partition(".")[0] == "pyspark":
        raise InvalidExampleError("it is a Spark DataFrame", "give a few rows of it: df.limit(5).toPandas()")
    raise InvalidExampleError(
        f"it is a {type(example).__name__}",
        "give a DataFrame, a record, a list of records, an array or a dict of arrays",
    )


def _from_dict(example: dict[Any, Any]) -> Any:
    import pandas as pd

    if example != {} and all(isinstance(value, np.ndarray) for value in example.values()):
        return {str(name): value for name, value in example.items()}
    if example != {} and all(_is_scalar(value) for value in example.values()):
        return pd.DataFrame([example])
    raise InvalidExampleError(
        "it is a dict that mixes or nests values",
        "give scalars for one record, numpy arrays for tensors, or a DataFrame for a batch",
    )


def _from_list(example: list[Any]) -> Any:
    import pandas as pd

    for item in example:
        if isinstance(item, np.ndarray) and item.ndim > 1:
            raise InvalidExampleError(
                f"it is a list of arrays of shape {item.shape}", "stack them into one array with numpy.stack"
            )
    if example == []:
        raise InvalidExampleError("it is an empty list")
    if all(_is_scalar(item) for item in example):
        return pd.DataFrame([example])
    return pd.DataFrame([item.tolist() if isinstance(item, np.ndarray) else item for item in example])


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(
        value, (str, bytes, bytearray, bool, int, float, np.generic, datetime.date, decimal.Decimal)
    )


def save_example(example: Any, root: Path) -> dict[str, Any]:
    """Writes `input_example.json` into a package and gives the entry of `MLmodel` that refers to it.

    Raises:
        InvalidExampleError: [INVALID_EXAMPLE] the example is of no kind that can be stored.
    """
    data = normalise_example(example)
    info = {"artifact_path": EXAMPLE, **(_FRAME if _is_frame(data) else _TENSOR), "dtypes": _dtypes(data)}
    body = json_bridge.frame_split(data) if _is_frame(data) else {"inputs": _tensors(data)}
    _write(root / EXAMPLE, body)
    return info


def read_example(info: Mapping[str, Any], root: Path, schema: Schema | None = None) -> Any:
    """The example that an entry of `MLmodel` refers to: of the dtypes that were given, else of the schema's.

    Raises:
        InvalidPackageError: [INVALID_PACKAGE] the file is missing, too large or not of the stated form.
        PathEscapesError: [PATH_ESCAPES] the entry leads out of the package.
    """
    path = inside(root, str(info.get("artifact_path", EXAMPLE)), "input_example of MLmodel")
    body = _read(path)
    dtypes = info.get("dtypes")
    try:
        # A bare reference, as the document has it, says no type: only tensors stand under "inputs".
        if info.get("type", "ndarray" if isinstance(body, dict) and "inputs" in body else "dataframe") == "ndarray":
            return _read_tensors(_under_inputs(body, info, schema), dtypes, schema)
        return _read_frame(body["inputs"] if "params" in info else body, dtypes, schema)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise InvalidPackageError(str(path), f"it is no input example ({type(error).__name__})") from error


def _under_inputs(body: Any, info: Mapping[str, Any], schema: Schema | None) -> Any:
    """The tensors of a body: MLflow 2.22 and 3 write them bare, unless the example came with params."""
    bare = not isinstance(body, dict) or "inputs" not in body
    named = schema is not None and "inputs" in schema.input_names() and "dtypes" not in info and "params" not in info
    return body if bare or (named and not isinstance(body["inputs"], dict)) else body["inputs"]


def _read_frame(body: Any, dtypes: Any, schema: Schema | None) -> Any:
    import pandas as pd

    rows = body if isinstance(body, list) else body["data"]
    if isinstance(body, list):
        labels: list[Any] = list(body[0]) if body != [] else []
        rows = [[record.get(label) for label in labels] for record in body]
    else:
        labels = body.get("columns", list(range(len(rows[0]) if rows != [] else len(dtypes or {}))))
    columns = [[row[position] for row in rows] for position in range(len(labels))]
    kinds = {} if schema is None or schema.is_tensor_spec() else _kinds(schema, labels)
    arrays: list[Any] = []
    for label, values in zip(labels, columns, strict=True):
        stated = dtypes[len(arrays)] if isinstance(dtypes, list) else (dtypes or {}).get(str(label))
        if stated is not None:
            arrays.append(decode_column(values, str(stated)))
        elif label in kinds:
            arrays.append(_by_kind(values, kinds[label], label))
        else:
            arrays.append(pd.Series(values).array)
    frame = pd.DataFrame(dict(enumerate(arrays)))
    frame.columns = pd.RangeIndex(len(labels)) if labels == list(range(len(labels))) else pd.Index(labels)
    return frame


def _kinds(schema: Schema, labels: list[Any]) -> dict[Any, Any]:
    names = schema.input_names() if schema.has_input_names() else labels
    return {name: spec.type for name, spec in zip(names, schema.columns, strict=False)}


def _by_kind(values: list[Any], kind: Any, label: object) -> Any:
    import pandas as pd

    from spark_models.schema.datatypes import DataType

    array = json_bridge.column_from_json(values, kind, f"$.data[*].{label}")
    if kind is DataType.datetime:
        return pd.to_datetime(pd.Series(array, dtype=object), utc=True, format="ISO8601").dt.tz_localize(None).array
    return array


def _read_tensors(body: Any, dtypes: Any, schema: Schema | None) -> Any:
    specs = {} if schema is None else {spec.name: spec.type for spec in schema.tensors}
    if isinstance(body, Mapping):
        named = {name: specs.get(name) for name in body}
        if isinstance(dtypes, Mapping):
            named = {name: dtypes.get(name) for name in body}
        return {name: _array(values, named[name]) for name, values in body.items()}
    dtype = dtypes if isinstance(dtypes, str) else specs.get(None)
    if dtype is None and len(specs) == 1:
        dtype = next(iter(specs.values()))
    return _array(body, dtype)


def _array(values: Any, dtype: Any) -> Any:
    if dtype is None:
        return np.array(values)
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        # Not through numpy's own choice: it takes float64 for integers on both sides of 2**63.
        return np.array(values, dtype=kind)
    if kind.kind == "S":
        return np.array(_bytes(values), dtype=kind)
    array = np.array(values, dtype=object if kind.kind in "fcM" and _has_null(values) else None)
    if array.dtype == object and kind.kind == "f":
        array = np.where(array == None, np.nan, array)  # noqa: E711 - elementwise
    return array.astype(kind)


def _bytes(values: Any) -> Any:
    """Nested lists with bytes in place of base64."""
    return [_bytes(value) for value in values] if isinstance(values, list) else base64.b64decode(values)


def _has_null(values: Any) -> bool:
    if isinstance(values, list):
        return any(_has_null(value) for value in values)
    return values is None


def _tensors(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: json_bridge.json_list(array) for name, array in data.items()}
    return json_bridge.json_list(data)


def _dtypes(data: Any) -> Any:
    if isinstance(data, np.ndarray):
        return str(data.dtype)
    if isinstance(data, dict):
        return {name: str(array.dtype) for name, array in data.items()}
    names = [str(label) for label in data.columns]
    kinds = [column_dtype(data.iloc[:, position]) for position in range(len(names))]
    # Two columns of one label are told apart by their places only.
    return dict(zip(names, kinds, strict=True)) if len(set(names)) == len(names) else kinds


def column_dtype(column: Any) -> str:
    """The dtype of a column, and for `object` what its values are: bytes, dates, decimals or anything else.

    `object:nan` is one whose missing values are NaN and not None. A dtype that JSON values can't be given back is told
    as `object`.
    """
    from spark_models.bridge.pandas import is_missing, value_kind

    if column.dtype != object:
        kind = str(column.dtype)
        try:
            decode_column(json_bridge.column_list(column), kind)
        except (TypeError, ValueError, NotImplementedError):  # intervals, and lists of Arrow
            return "object"
        return kind
    kind = value_kind(column.to_numpy())
    if kind in ("bytes", "date", "decimal", "datetime"):
        return f"object:{kind}"
    gaps = [value for value in column if is_missing(value)]
    return "object:nan" if gaps != [] and all(isinstance(value, float) for value in gaps) else "object"


def decode_column(values: list[Any], dtype: str) -> Any:
    """JSON values as the array of a dtype that `column_dtype` gave; null is that dtype's missing value."""
    import pandas as pd

    if dtype in ("object", "object:nan"):
        return _object_array([np.nan if value is None and dtype == "object:nan" else value for value in values])
    if dtype.startswith("object:"):
        reader = _OBJECTS[dtype.removeprefix("object:")]
        return _object_array([None if value is None else reader(value) for value in values])
    if dtype.startswith("datetime64") and "," in dtype:
        return pd.to_datetime(pd.Series(values, dtype=object), utc=True, format="ISO8601").astype(dtype).array
    if dtype.startswith("datetime64"):
        # numpy reads every year that the dtype holds; pandas would go through nanoseconds.
        return np.array(["NaT" if value is None else value for value in values], dtype=dtype)
    if dtype.startswith("timedelta"):
        return pd.to_timedelta(pd.Series(values, dtype=object)).astype(dtype).array
    if dtype.startswith("float"):
        return np.array([np.nan if value is None else value for value in values], dtype=dtype)
    return pd.array(values, dtype=dtype)


def _object_array(values: list[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


_OBJECTS: dict[str, Callable[[Any], Any]] = {
    "bytes": base64.b64decode,
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "decimal": decimal.Decimal,
}


def save_predictions(predictions: Any, path: Path) -> dict[str, Any]:
    """Writes the predictions on the example beside it and gives the entry of `MLmodel` that refers to them.

    Raises:
        InvalidExampleError: [INVALID_EXAMPLE] the output is no DataFrame, Series, array, list or dict of these.
    """
    _write(path, encode_output(predictions))
    return {"artifact_path": path.name}


def read_predictions(info: Mapping[str, Any], root: Path) -> Any:
    """The stored predictions, of the kind and dtypes that the model gave."""
    path = inside(root, str(info.get("artifact_path")), "example_predictions of MLmodel")
    try:
        return decode_output(_read(path))
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise InvalidPackageError(str(path), f"it holds no predictions ({type(error).__name__})") from error


def encode_output(output: Any) -> dict[str, Any]:
    """A model's output as JSON that `decode_output` turns back into the same."""
    import pandas as pd

    if isinstance(output, pd.DataFrame):
        if output.columns.nlevels > 1:
            raise InvalidExampleError("the columns of the model's output have several levels")
        dtypes = [column_dtype(output.iloc[:, position]) for position in range(output.shape[1])]
        return {"kind": "dataframe", **_exact_split(output), "dtypes": dtypes}
    if isinstance(output, pd.Series):
        if isinstance(output.name, tuple):
            raise InvalidExampleError("the name of the model's output has several levels")
        split = _exact_split(output.to_frame())
        return {"kind": "series", "name": output.name, "data": split["data"], "dtypes": [column_dtype(output)]}
    if isinstance(output, np.ndarray):
        return {"kind": "ndarray", "dtype": str(output.dtype), "shape": list(output.shape), "data": _exact_list(output)}
    if isinstance(output, dict):
        return {"kind": "dict", "items": {str(name): encode_output(value) for name, value in output.items()}}
    if isinstance(output, (list, tuple)):
        return {"kind": "list", "data": [json_bridge.json_value(item) for item in output]}
    raise InvalidExampleError(f"the model's output is a {type(output).__name__}")


def decode_output(body: Mapping[str, Any]) -> Any:
    """The output that `encode_output` wrote."""
    import pandas as pd

    kind = body["kind"]
    if kind in ("dataframe", "series"):
        columns = [[_exact(row[at]) for row in body["data"]] for at in range(len(body["dtypes"]))]
        arrays = [decode_column(values, dtype) for values, dtype in zip(columns, body["dtypes"], strict=True)]
        if kind == "series":
            return pd.Series(arrays[0], name=body["name"])
        frame = pd.DataFrame(dict(enumerate(arrays)))
        frame.columns = pd.Index(body.get("columns", list(range(len(arrays)))))
        return frame
    if kind == "ndarray":
        flat = [_exact(value) for value in body["data"]]
        dtype = np.dtype(body["dtype"])
        values = [np.nan if value is None and dtype.kind == "f" else value for value in flat]
        if dtype.kind == "S":
            values = _bytes(values)
        array = _object_array(values) if dtype == object else np.array(values, dtype=dtype)
        return array.reshape(body["shape"])
    if kind == "dict":
        return {name: decode_output(value) for name, value in body["items"].items()}
    return list(body["data"])


_SPECIAL = {"Infinity": np.inf, "-Infinity": -np.inf}


def _exact(value: Any) -> Any:
    return _SPECIAL[value["float"]] if isinstance(value, dict) and set(value) == {"float"} else value


def _exact_value(value: Any) -> Any:
    if isinstance(value, (float, np.floating)) and np.isinf(value):
        return {"float": "Infinity" if value > 0 else "-Infinity"}
    return json_bridge.json_value(value)


def _exact_list(array: np.ndarray[Any, Any]) -> list[Any]:
    return [_exact_value(value) for value in array.ravel()]


def _exact_split(frame: Any) -> dict[str, Any]:
    columns = [[_exact_value(value) for value in frame.iloc[:, position]] for position in range(frame.shape[1])]
    split: dict[str, Any] = {"data": [list(row) for row in zip(*columns, strict=True)]}
    labels = [label.item() if isinstance(label, np.generic) else label for label in frame.columns]
    return split if labels == list(range(len(labels))) else {"columns": labels, **split}


def _write(path: Path, body: Any) -> None:
    try:
        content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidExampleError("it holds text with a lone surrogate, which is no character") from error
    path.write_bytes(content)


def _read(path: Path) -> Any:
    if not path.is_file():
        raise InvalidPackageError(str(path), "the file is missing")
    if path.stat().st_size > MAX_EXAMPLE:
        raise InvalidPackageError(str(path), f"it is larger than {MAX_EXAMPLE} bytes")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidPackageError(str(path), "it is not JSON") from error


def _is_frame(data: Any) -> bool:
    return hasattr(data, "columns")
