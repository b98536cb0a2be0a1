"""The Open Inference Protocol, version 2: its JSON tensors as a model's input, and an output as its tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from spark_models.bridge.json import json_value
from spark_models.errors import JsonBodyError, UnsupportedOutputError
from spark_models.schema.datatypes import DataType
from spark_models.schema.schema import Schema
from spark_models.schema.specs import TensorSpec
from spark_models.serve.body import Tensors, called
from spark_models.serve.dataplane import Answer, Call, DataPlane
from spark_models.serve.strict_json import check_depth, dumps_finite, loads

DATATYPES = {
    "BOOL": "bool",
    **{f"UINT{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "BYTES": "str",
}
"""The protocol's datatypes, and numpy's names of them."""

_OF_NUMPY = {name: datatype for datatype, name in DATATYPES.items()}
_OF_COLUMN = {
    DataType.boolean: "BOOL",
    DataType.integer: "INT32",
    DataType.long: "INT64",
    DataType.float: "FP32",
    DataType.double: "FP64",
}
MOST_AXES = 32


def model_metadata(dataplane: DataPlane, name: str) -> dict[str, Any]:
    """What the protocol says of a model: its name, platform, inputs and outputs."""
    model = dataplane.model.metadata
    return {
        "name": name,
        "versions": ["1"],
        "platform": "spark-models",
        "inputs": _tensors(model.get_input_schema()),
        "outputs": _tensors(model.get_output_schema()),
    }


def _tensors(schema: Schema | None) -> list[dict[str, Any]]:
    if schema is None:
        return []
    found = []
    for name, spec in zip(schema.input_names(), schema, strict=True):
        if isinstance(spec, TensorSpec):
            datatype, shape = _OF_NUMPY.get(spec.type.name, "BYTES"), list(spec.shape)
        else:
            datatype = _OF_COLUMN.get(spec.type, "BYTES") if isinstance(spec.type, DataType) else "BYTES"
            shape = [-1]
        found.append({"name": str(name), "datatype": datatype, "shape": shape})
    return found


def read_inference(dataplane: DataPlane, body: bytes, name: str) -> Call:
    """The request's tensors, bound: each is a column of that name, or a tensor; one alone may be a table's rows.

    Raises:
        JsonBodyError: [JSON_BODY] it is no request of the protocol.
        InputError: the tensors don't fit the signature.
    """
    value = loads(body)
    if not isinstance(value, dict) or not isinstance(value.get("inputs"), list) or value["inputs"] == []:
        raise JsonBodyError("a request of the inference protocol is an object with a list 'inputs'", "$")
    known = value.get("id")
    if known is not None and not isinstance(known, str):
        raise JsonBodyError(f"'id' must be text, not {called(known)}", "$.id")
    parameters = value.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise JsonBodyError(f"'parameters' must be an object, not {called(parameters)}", "$.parameters")
    tensors = dict(_named(tensor, f"$.inputs[{at}]") for at, tensor in enumerate(value["inputs"]))
    if len(tensors) != len(value["inputs"]):
        raise JsonBodyError("two inputs have the same name", "$.inputs")
    lengths = {len(rows) for rows in tensors.values()}
    if len(lengths) > 1:
        raise JsonBodyError("the inputs have different lengths in their first axis", "$.inputs")
    schema = dataplane.model.metadata.get_input_schema()
    by_name = schema is not None and schema.has_input_names()
    alone = len(tensors) == 1 and not (by_name and set(tensors) <= set(schema.input_names() if schema else ()))
    given = Tensors(next(iter(tensors.values())) if alone else tensors, "$.inputs")
    return Call(dataplane.bind(given), dataplane.params(parameters), _encoder(name, known))


def _named(tensor: Any, place: str) -> tuple[str, list[Any]]:
    if not isinstance(tensor, dict):
        raise JsonBodyError(f"an input must be an object, not {called(tensor)}", place)
    name, datatype = tensor.get("name"), tensor.get("datatype")
    if not isinstance(name, str):
        raise JsonBodyError("an input needs a 'name'", place)
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise JsonBodyError(f"an input's 'datatype' is one of {', '.join(DATATYPES)}", f"{place}.datatype")
    shape = _shape(tensor.get("shape"), f"{place}.shape")
    data = tensor.get("data")
    if not isinstance(data, list):
        raise JsonBodyError(f"an input's 'data' is a list, not {called(data)}", f"{place}.data")
    check_depth(data, f"{place}.data", MOST_AXES)
    flat = list(_flat(data))
    if len(flat) != math.prod(shape):
        raise JsonBodyError(f"an input's 'data' has {len(flat)} values; its shape has others", f"{place}.data")
    # A column may come as a matrix of one column, as most clients of the protocol send it.
    axes = shape[:1] if len(shape) == 2 and shape[1] == 1 else shape
    return name, flat if len(axes) == 1 else _nested(flat, axes)


def _shape(shape: Any, place: str) -> list[int]:
    if not isinstance(shape, list) or not 0 < len(shape) <= MOST_AXES:
        raise JsonBodyError("an input's 'shape' is a list of lengths", place)
    if not all(type(axis) is int and 0 <= axis < 2**31 for axis in shape):
        raise JsonBodyError("an input's 'shape' is a list of lengths", place)
    if 0 in shape[1:]:
        # It would make as many empty lists as the first axis says, without a value in the body.
        raise JsonBodyError("only the first axis of an input's 'shape' may have no length", place)
    return shape


def _nested(flat: list[Any], axes: list[int]) -> list[Any]:
    cells = np.empty(len(flat), dtype=object)
    cells[:] = flat
    nested: list[Any] = cells.reshape(axes).tolist()
    return nested


def _flat(data: list[Any]) -> Iterator[Any]:
    for item in data:
        if isinstance(item, list):
            yield from _flat(item)
        else:
            yield item


def _encoder(name: str, known: str | None) -> Callable[[Any], Answer]:
    def encode(output: Any) -> Answer:
        content = {"model_name": name, "model_version": "1", "outputs": _outputs(output)}
        return Answer(dumps_finite(content if known is None else {**content, "id": known}))

    return encode


def _outputs(output: Any) -> list[dict[str, Any]]:
    if hasattr(output, "columns"):
        named = {str(label): output.iloc[:, at].to_numpy() for at, label in enumerate(output.columns)}
    elif isinstance(output, dict):
        named = {str(label): values for label, values in output.items()}
    else:
        named = {str(getattr(output, "name", None) or "predictions"): output}
    return [_output(label, values) for label, values in named.items()]


def _output(name: str, values: Any) -> dict[str, Any]:
    try:
        array = np.asarray(values.toarray() if hasattr(values, "toarray") else values)
    except ValueError:
        raise UnsupportedOutputError(f"a {type(values).__name__} that makes no tensor") from None
    if array.dtype == object and array.ndim == 1 and all(isinstance(item, (list, np.ndarray)) for item in array):
        array = _stacked(array)
    datatype = _OF_NUMPY.get(array.dtype.name, "BYTES")
    flat = [json_value(item) for item in array.ravel()] if datatype == "BYTES" else json_value(array.ravel())
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": flat}


def _stacked(rows: Any) -> Any:
    """A column of vectors as one tensor of numbers; as it is where they differ in length or hold something else."""
    try:
        made = np.array([np.asarray(row, dtype="float64") for row in rows])
    except (TypeError, ValueError):
        return rows
    return made if made.ndim > 1 else rows
