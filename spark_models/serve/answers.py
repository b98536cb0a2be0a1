"""What a model gave, as a JSON answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from spark_models.bridge.json import frame_records, json_value
from spark_models.errors import UnsupportedOutputError, listed
from spark_models.serve.strict_json import dumps_finite, dumps_numbers


def encode_answer(output: Any, wrap: bool = False) -> bytes:
    """The output as strict JSON in UTF-8; under "predictions" where `wrap` is true.

    Raises:
        UnsupportedOutputError: [UNSUPPORTED_OUTPUT] a DataFrame with a column twice: records can't hold both.

    >>> encode_answer([1.5, float("nan")]).decode()
    '[1.5,null]'
    """
    numbers = dumps_numbers(output) if type(output) is np.ndarray else None
    if numbers is not None:
        return b'{"predictions":' + numbers + b"}" if wrap else numbers
    value = answer_value(output)
    return dumps_finite({"predictions": value} if wrap else value)


def answer_value(output: Any) -> Any:
    """The output as plain JSON values.

    | output | answer |
    | --- | --- |
    | DataFrame, Arrow table | records: a list of objects, one a row |
    | Series | records of its one column, "0" where it has no name |
    | array, list | nested lists |
    | dict | an object of these |
    | anything else | one value |

    NaN, infinities and missing values become null, dates ISO 8601 text, bytes base64.

    Raises:
        UnsupportedOutputError: [UNSUPPORTED_OUTPUT] as of `encode_answer`.
    """
    if isinstance(output, dict):
        return {str(name): answer_value(value) for name, value in output.items()}
    if isinstance(output, (list, tuple)):
        return [json_value(value) for value in output]
    if hasattr(output, "iloc"):
        is_series = output.ndim == 1
        return _records(output.to_frame("0" if output.name is None else output.name) if is_series else output)
    if hasattr(output, "column_names") and hasattr(output, "to_pylist"):
        return [json_value(record) for record in output.to_pylist()]
    return json_value(output.toarray() if hasattr(output, "toarray") else output)


def _records(frame: Any) -> list[dict[str, Any]]:
    labels = [str(label) for label in frame.columns]
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated != []:
        raise UnsupportedOutputError(f"a DataFrame with several columns named {listed(repeated)}")
    if labels == []:
        return [{} for _ in range(len(frame))]
    return frame_records(frame)
