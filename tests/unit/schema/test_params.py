"""The parameters of a call: checked and cast by the signature, everything wrong told at once."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest

from spark_models.errors import InvalidParamsError, InvalidSchemaError
from spark_models.types.schema import DataType, ParamSchema, ParamSpec

PARAMS = ParamSchema(
    [
        ParamSpec("n", DataType.integer, 1),
        ParamSpec("big", DataType.long, 1),
        ParamSpec("x", DataType.double, 0.5),
        ParamSpec("many", DataType.double, [1.0], (-1,)),
        ParamSpec("t", DataType.string, "a"),
        ParamSpec("on", DataType.boolean, False),
        ParamSpec("at", DataType.datetime, None),
    ]
)


def test_nothing_given_is_the_defaults() -> None:
    defaults = {"n": 1, "big": 1, "x": 0.5, "many": [1.0], "t": "a", "on": False, "at": None}
    assert PARAMS.bind(None) == PARAMS.bind({}) == defaults


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("n", np.int64(2**31 - 1), 2**31 - 1),
        ("big", -(2**63), -(2**63)),
        ("x", 3, 3.0),
        ("x", np.float32(0.5), 0.5),
        ("many", (1, np.float64(2.5)), [1.0, 2.5]),
        ("many", np.array([1, 2]), [1.0, 2.0]),
        ("many", [], []),
        ("t", "ä", "ä"),
        ("on", np.bool_(True), True),
        ("at", datetime.date(2020, 1, 31), datetime.date(2020, 1, 31)),
        ("n", None, None),
    ],
)
def test_a_value_of_its_type_is_taken(name: str, given: Any, expected: Any) -> None:
    found = PARAMS.bind({name: given})[name]
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("n", 2**31, "'n' is out of the range of integer"),
        ("big", 2**63, "'big' is out of the range of long"),
        ("x", 10**400, "'x' is out of the range of double"),
        ("many", [1.0, 10**400], "'many' is out of the range of double"),
        ("n", 1.0, "'n' must be integer, not float"),
        ("n", True, "'n' must be integer, not bool"),
        ("on", 1, "'on' must be boolean, not int"),
        ("x", "0.5", "'x' must be double, not str"),
        ("x", np.array([1.0, 2.0]), "'x' must be double, not ndarray"),
        ("many", 1.0, "'many' must be double, not float"),
        ("many", "ab", "'many' must be double, not str"),
        ("many", [None], "'many' must be double, not list"),
        ("X", 1, "unknown: ['X'] (rename 'X' to 'x')"),
    ],
)
def test_another_value_is_refused(name: str, given: Any, said: str) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        PARAMS.bind({name: given, "t": 5})
    assert said in caught.value.problems
    assert "'t' must be string, not int" in caught.value.problems


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        (DataType.binary, b"\x00\xff"),
        (DataType.datetime, datetime.datetime(2020, 1, 31, 12, tzinfo=datetime.timezone.utc)),
        (DataType.datetime, datetime.date(2020, 1, 31)),
        (DataType.datetime, [datetime.datetime(2020, 1, 31, 12, 0, 0, 5)]),
        (DataType.datetime, "some other text"),
        (DataType.string, "2020-01-31"),
        (DataType.double, [0.5, None]),
    ],
    ids=str,
)
def test_a_default_reads_back(kind: DataType, default: Any) -> None:
    params = ParamSchema([ParamSpec("p", kind, default, (-1,) if isinstance(default, list) else None)])
    found = ParamSchema.from_json(params.to_json())
    assert found == params
    assert found.bind(None) == {"p": default}


def test_older_forms_are_read() -> None:
    text = (
        '[{"name": "n", "dtype": "integer", "default": 1, "shape": null}, {"name": "m", "type": "long", "shape": [-1]}]'
    )
    assert ParamSchema.from_json(text) == ParamSchema(
        [ParamSpec("n", DataType.integer, 1), ParamSpec("m", DataType.long, None, (-1,))]
    )
    assert ParamSchema.from_json(PARAMS.to_json()) == PARAMS
    with pytest.raises(InvalidSchemaError, match="unique"):
        ParamSchema([ParamSpec("n", DataType.integer, 1), ParamSpec("n", DataType.long, 1)])
