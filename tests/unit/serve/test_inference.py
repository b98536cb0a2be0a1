"""The Open Inference Protocol without a transport: shapes of what comes in, and columns of vectors on the way out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spark_models.errors import JsonBodyError
from spark_models.serve.inference import _encoder, _named


def outputs(frame: pd.DataFrame) -> dict[str, Any]:
    answer = json.loads(_encoder("m", None)(frame).content)
    return {output.pop("name"): output for output in answer["outputs"]}


def test_a_column_of_vectors_is_one_tensor() -> None:
    found = outputs(pd.DataFrame({"p": [[0.25, 0.75], np.array([1.0, np.nan])], "label": [1.0, 0.0]}))
    assert found["p"] == {"datatype": "FP64", "shape": [2, 2], "data": [0.25, 0.75, 1.0, None]}
    assert found["label"] == {"datatype": "FP64", "shape": [2], "data": [1.0, 0.0]}


@pytest.mark.parametrize("column", [[[1.0], [1.0, 2.0]], [["a"], ["b"]]])
def test_a_column_of_other_lists_is_bytes(column: list[Any]) -> None:
    assert outputs(pd.DataFrame({"p": column}))["p"] == {"datatype": "BYTES", "shape": [2], "data": column}


def test_a_shape_makes_no_more_than_the_body_has_values() -> None:
    with pytest.raises(JsonBodyError, match="only the first axis"):
        _named({"name": "x", "datatype": "FP64", "shape": [2_000_000_000, 0], "data": []}, "$.inputs[0]")
    assert _named({"name": "x", "datatype": "FP64", "shape": [0, 3], "data": []}, "$.inputs[0]") == ("x", [])
