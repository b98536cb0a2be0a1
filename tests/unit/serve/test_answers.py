"""Outputs as answers: the document's forms, always strict JSON."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from spark_models.errors import UnsupportedOutputError
from spark_models.serve.answers import encode_answer

NAN = float("nan")


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), [{"a": 1, "b": "x"}, {"a": 2, "b": None}]),
        (
            pd.DataFrame({"t": pd.to_datetime(["2020-01-01 12:34:56", None])}),
            [{"t": "2020-01-01T12:34:56"}, {"t": None}],
        ),
        (pd.DataFrame({"i": pd.array([1, None], dtype="Int64")}), [{"i": 1}, {"i": None}]),
        (pd.DataFrame([[1.5, np.inf]]), [{"0": 1.5, "1": None}]),
        (pd.DataFrame({"a": []}), []),
        (pd.DataFrame(index=[0, 1]), [{}, {}]),
        (pd.Series([1, 2]), [{"0": 1}, {"0": 2}]),
        (pd.Series([1.5], name="p"), [{"p": 1.5}]),
        (np.array([1.5, NAN, np.inf]), [1.5, None, None]),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(["a", None], dtype=object), ["a", None]),
        (np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), ["2020-01-01", None]),
        ([1, NAN, "x", None, True], [1, None, "x", None, True]),
        ([np.float32(0.5), np.int8(3), {"a": np.nan}], [0.5, 3, {"a": None}]),
        ((1, 2), [1, 2]),
        ([datetime.date(2020, 1, 31), Decimal("1.10"), b"abc"], ["2020-01-31", "1.10", "YWJj"]),
        ({"a": np.array([1, 2]), "b": [NAN, 0.5]}, {"a": [1, 2], "b": [None, 0.5]}),
        (pa.table({"a": [1, None]}), [{"a": 1}, {"a": None}]),
        (1, 1),
        ("hi", "hi"),
        (np.float64("nan"), None),
    ],
)
def test_each_form_of_output(output: Any, answer: Any) -> None:
    text = encode_answer(output)

    def never(token: str) -> Any:
        raise AssertionError(token)

    assert json.loads(text, parse_constant=never) == answer
    assert json.loads(encode_answer(output, wrap=True)) == {"predictions": answer}


def test_a_column_twice_is_not_dropped_in_silence() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"])
    with pytest.raises(UnsupportedOutputError) as caught:
        encode_answer(frame)
    assert str(caught.value) == (
        "[UNSUPPORTED_OUTPUT] The model's output is a DataFrame with several columns named ['a'].\n"
        "Hint: predict must give a DataFrame, Series, array, list, or dict of columns"
    )
