"""What goes over the pipe comes out the same, and an error is raised as what it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spark_models import errors as E
from spark_models.scoring.isolation.messages import error_facts, frame, raised, read_frame


def received(content: bytes) -> Any:
    rest = bytearray(content)

    def read(count: int) -> bytearray:
        part = rest[:count]
        assert len(part) == count
        del rest[:count]
        return part

    header, payload = read_frame(read)
    assert rest == b""
    return header, payload


@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(256)) * 1000])
def test_a_frame(payload: bytes) -> None:
    header = {"do": "batch", "sizes": [1, 2], "names": ["ä", "x\x00"]}
    assert received(frame(header, len(payload)) + payload) == (header, payload)


@pytest.mark.parametrize(
    "error",
    [
        E.ColumnTypeError("a", "int64", "integer"),
        E.MissingColumnsError(("a", "b"), ("A",), 3, "model"),
        E.InvalidInputError((E.NullColumnError("b", "boolean"), E.ColumnTypeError(0, "int64", "integer"))),
        E.RowCountError(3, 2),
        E.MissingExtraError("matplotlib", "plot", "A plot"),
        E.ModelProcessError("ended", ("line",), "advice"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_ours(error: E.SparkModelsError) -> None:
    back = raised(json.loads(json.dumps(error_facts(error))))
    assert type(back) is type(error)
    assert str(back) == str(error)
    if not any(isinstance(fact, tuple) and fact != () and isinstance(fact[0], Exception) for fact in error.args):
        assert back.args == error.args


def test_an_error_of_the_model() -> None:
    def predict() -> None:
        raise KeyError("age")

    with pytest.raises(KeyError) as caught:
        predict()
    back = raised(json.loads(json.dumps(error_facts(caught.value))))
    assert type(back) is RuntimeError
    assert str(back).startswith("KeyError in the model's own process:\nTraceback ")
    assert "in predict" in str(back)
    assert str(back).endswith("KeyError: 'age'\n")


def test_running_out_of_memory_stays_what_it_is() -> None:
    assert type(raised(error_facts(MemoryError()))) is MemoryError


def test_an_exit_is_an_error() -> None:
    assert "SystemExit: 3" in str(raised(error_facts(SystemExit(3))))


@pytest.mark.parametrize(
    "facts",
    [
        {"ours": {"error": "Exception", "facts": []}},
        {"ours": {"error": "dataclass", "facts": []}},
        {"ours": {"error": "no_such_thing", "facts": []}},
        {"ours": "text"},
        {},
    ],
)
def test_what_is_no_error_of_ours_is_not_called(facts: dict[str, Any]) -> None:
    assert type(raised(facts)) is RuntimeError
