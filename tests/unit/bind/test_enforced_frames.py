"""Frames of every shape through the enforcer: labels, indexes, blocks, and several errors at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from spark_models import errors
from spark_models.bind.enforce import Enforcer
from spark_models.types.schema import ColSpec, Schema, TensorSpec

NAMED = Schema([ColSpec("double", "x"), ColSpec("string", "t")])
UNNAMED = Schema([ColSpec("double"), ColSpec("long")])


def test_the_index_stays_as_the_caller_gave_it() -> None:
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 1)], names=["k", "n"])
    fitting = pd.DataFrame({"x": [0.5, 1.5]}, index=index)
    casting = fitting.astype("float32")
    for frame in (fitting, casting):
        found = Enforcer(Schema([ColSpec("double", "x")]))(frame)
        pd.testing.assert_frame_equal(found, fitting)


def test_a_frame_that_fits_is_not_copied_and_one_of_another_order_is() -> None:
    schema = Schema([ColSpec("double", "x"), ColSpec("double", "y")])
    frame = pd.DataFrame(np.ones((3, 2)), columns=["x", "y"])
    found = Enforcer(schema)(frame)
    assert np.shares_memory(found.to_numpy(), frame.to_numpy())
    found["new"] = 1
    assert list(frame.columns) == ["x", "y"]
    assert list(Enforcer(schema)(frame[["y", "x"]]).columns) == ["x", "y"]


def test_unnamed_inputs_keep_the_labels_that_were_given() -> None:
    for labels in ([0, 1], ["b", "a"], [("a", 1), ("a", 2)], [7, "b"]):
        frame = pd.DataFrame([[0.5, 1]], columns=pd.Index(labels, tupleize_cols=False))
        found = Enforcer(UNNAMED)(frame.astype({frame.columns[0]: "float32"}))
        assert list(found.columns) == labels
        assert [str(dtype) for dtype in found.dtypes] == ["float64", "int64"]
    for rows in ([[0.5, 1]], [(0.5, 1)], ((0.5, 1),)):
        assert Enforcer(UNNAMED)(rows).iloc[0].tolist() == [0.5, 1]


def test_everything_wrong_is_told_at_once() -> None:
    schema = Schema([ColSpec("double", "x"), ColSpec("long", "n"), ColSpec("string", "t")])
    frame = pd.DataFrame({"x": ["a"], "n": [1.5], "t": [5]})
    with pytest.raises(errors.InvalidInputError) as caught:
        Enforcer(schema)(frame)
    assert [error.column for error in caught.value.errors] == ["x", "n", "t"]


def test_an_optional_column_may_be_absent_and_then_stays_so() -> None:
    schema = Schema([ColSpec("double", "x"), ColSpec("long", "n", required=False)])
    assert list(Enforcer(schema)(pd.DataFrame({"x": [1.0]})).columns) == ["x"]
    only = Schema([ColSpec("long", "n", required=False)])
    found = Enforcer(only)(pd.DataFrame({"other": [1, 2]}, index=[5, 6]))
    assert (found.shape, found.index.tolist()) == ((2, 0), [5, 6])


def test_columns_of_arrow_and_of_a_dict_are_a_frame() -> None:
    table = pa.table({"t": ["a", None], "x": pa.array([1, None], pa.int32()), "extra": [1, 2]})
    for data in (
        table,
        table.to_batches()[0],
        {"t": ["a", None], "x": [1.0, np.nan]},
        [{"t": "a", "x": 1.0}, {"t": None}],
    ):
        found = Enforcer(NAMED)(data)
        assert list(found.columns) == ["x", "t"]
        np.testing.assert_array_equal(found["x"], [1.0, np.nan])
        assert [value if isinstance(value, str) else None for value in found["t"]] == ["a", None]


def test_numbered_labels_are_no_names() -> None:
    with pytest.raises(errors.MissingColumnsError) as caught:
        Enforcer(Schema([ColSpec("double", "0")]))(pd.DataFrame([[0.5]]))
    assert caught.value.missing == ("0",)
    assert (
        caught.value.hint == "names are text, and labels of the input are not: frame.columns = frame.columns.map(str)"
    )


def test_a_wide_table_with_other_names_is_refused_at_once() -> None:
    """Looking for typing slips among thousands of names would take longer than scoring."""
    schema = Schema([ColSpec("double", f"wanted_{number}") for number in range(3000)])
    frame = pd.DataFrame(np.zeros((1, 3000)), columns=[f"given_{number}" for number in range(3000)])
    with pytest.raises(errors.MissingColumnsError) as caught:
        Enforcer(schema)(frame)
    assert "… +2990 more" in str(caught.value)


@pytest.mark.parametrize("column", ["images", "other"])
def test_tensors_from_a_frame(column: str) -> None:
    schema = Schema([TensorSpec(np.dtype("float32"), (-1, 2), "images")])
    cells: Any = [np.array([1.0, 2.0]), [3.0, 4.0]]
    frame = pd.DataFrame({column: cells})
    if column == "other":
        with pytest.raises(errors.MissingColumnsError):
            Enforcer(schema)(frame)
        return
    found = Enforcer(schema)(frame)["images"]
    assert (found.dtype, found.tolist()) == ("float32", [[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(errors.TensorShapeError):
        Enforcer(schema)(pd.DataFrame({"images": [[1.0, 2.0], [3.0]]}))
    assert Enforcer(schema)(frame.iloc[:0])["images"].shape == (0, 2)
