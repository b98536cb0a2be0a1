"""The OpenAPI document of a server, made from the model's signature, with the stored example as its example."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import spark_models
from spark_models.errors import SparkModelsError
from spark_models.package.mlmodel import Model
from spark_models.pyfunc.loading import PyFuncModel
from spark_models.schema.datatypes import Array, DataType, Map, Object
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec, Spec, TensorSpec
from spark_models.serve.columnar import ARROW_STREAM, PARQUET
from spark_models.store.uris import local_path

EXAMPLE_ROWS = 10
EXAMPLE_BYTES = 256 * 1024

_SCALARS: dict[DataType, dict[str, Any]] = {
    DataType.boolean: {"type": "boolean"},
    DataType.integer: {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    DataType.long: {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    DataType.float: {"type": "number", "format": "float"},
    DataType.double: {"type": "number", "format": "double"},
    DataType.string: {"type": "string"},
    DataType.binary: {"type": "string", "contentEncoding": "base64"},
    DataType.datetime: {"type": "string", "format": "date-time"},
}
_NO_NULLS = (DataType.boolean, DataType.integer, DataType.long)
_ERRORS = {
    "400": "The request's fault; the message says where.",
    "401": "The bearer token is missing or wrong.",
    "406": "No answer in a form that is accepted.",
    "413": "The body is too large.",
    "415": "The content type is missing or not read.",
    "421": "The Host is not one of this server's.",
    "429": "Too many requests wait; try again.",
    "500": "The model failed.",
    "503": "Not ready; try again.",
    "504": "No answer in time.",
}


def stored_example(model: PyFuncModel) -> Any:
    """The package's example as the body of a request, of ten rows at most; None where there is none, or a large one."""
    info = model.metadata.saved_input_example_info
    try:
        path = Path(local_path(model.uri)) / str((info or {}).get("artifact_path"))
        if info is None or info.get("type") not in ("dataframe", "ndarray") or path.stat().st_size > EXAMPLE_BYTES:
            return None
        body = json.loads(path.read_text())
    except (OSError, ValueError, SparkModelsError):
        return None
    if not isinstance(body, dict):
        return None
    if isinstance(body.get("data"), list):
        return {**{key: body[key] for key in ("columns",) if key in body}, "data": body["data"][:EXAMPLE_ROWS]}
    if isinstance(body.get("inputs"), list):
        return {"inputs": body["inputs"][:EXAMPLE_ROWS]}
    return body if "inputs" in body else None


def document(model: PyFuncModel, name: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document as JSON values."""
    metadata = model.metadata
    error = {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    errors = {status: {**error, "description": said} for status, said in _ERRORS.items()}
    answer = {
        "description": "The predictions.",
        "content": {
            "application/json": {"schema": _answer(metadata)},
            ARROW_STREAM: {"schema": {}},
            PARQUET: {"schema": {}},
        },
    }
    example = stored_example(model)
    body: dict[str, Any] = {"schema": _body(metadata.get_input_schema())}
    plain = {"description": "How the server is.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    as_json = {"description": "Facts.", "content": {"application/json": {"schema": {"type": "object"}}}}
    unwell = {status: errors[status] for status in ("401", "421", "503")}
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": spark_models.__version__, "description": _description(metadata)},
        "paths": {
            "/invocations": {
                "post": {
                    "operationId": "invoke",
                    "summary": "The model's predictions for the rows of the body.",
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": body if example is None else {**body, "example": example},
                            "text/csv": {"schema": {"type": "string"}},
                            ARROW_STREAM: {"schema": {}},
                            PARQUET: {"schema": {}},
                        },
                    },
                    "responses": {"200": answer, **errors},
                }
            },
            "/ping": {"get": {"operationId": "ping", "responses": {"200": plain, **unwell}}},
            "/health": {"get": {"operationId": "health", "responses": {"200": plain, **unwell}}},
            "/metrics": {"get": {"operationId": "metrics", "responses": {"200": plain, **unwell}}},
            "/version": {"get": {"operationId": "version", "responses": {"200": as_json, **unwell}}},
        },
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error_code", "message"],
                    "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
                }
            }
        },
    }


def _description(metadata: Model) -> str:
    return f"A model of spark-models with the flavors {', '.join(sorted(metadata.flavors))}."


def _body(schema: Schema | None) -> dict[str, Any]:
    if schema is None or len(schema) == 0:
        return {"type": ["object", "array"]}
    if schema.is_tensor_spec():
        tensors = {str(name): _value(spec) for name, spec in schema.input_dict().items()}
        named = {"type": "object", "properties": tensors, "required": list(tensors)}
        alone = next(iter(tensors.values()))
        inputs = named if schema.has_input_names() else alone
        return {"type": "object", "required": ["inputs"], "properties": {"inputs": inputs}}
    names = [str(name) for name in schema.input_names()]
    cells = [_value(spec) for spec in schema]
    row = {"type": "array", "prefixItems": cells, "items": False, "minItems": len(cells)}
    columns: dict[str, Any] = {"const": names} if schema.has_input_names() else {"type": "array"}
    split = {
        "type": "object",
        "properties": {"columns": columns, "data": {"type": "array", "items": row}},
        "required": ["columns", "data"] if schema.has_input_names() else ["data"],
        "additionalProperties": False,
    }
    if not schema.has_input_names():
        return split
    record = {
        "type": "object",
        "properties": dict(zip(names, cells, strict=True)),
        "required": [str(name) for name in schema.required_input_names()],
    }
    return {"anyOf": [split, {"type": "array", "items": record, "minItems": 1}]}


def _answer(metadata: Model) -> dict[str, Any]:
    outputs = metadata.get_output_schema()
    if outputs is None or len(outputs) == 0:
        return {}
    if outputs.is_tensor_spec() or not outputs.has_input_names():
        return {"type": ["array", "object"]}
    return {"type": "array"}


def _value(spec: Spec) -> dict[str, Any]:
    if isinstance(spec, TensorSpec):
        kind = {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}.get(spec.type.kind, "string")
        value: dict[str, Any] = {"type": kind}
        for axis in reversed(spec.shape):
            fixed = {} if axis < 0 else {"minItems": axis, "maxItems": axis}
            value = {"type": "array", "items": value, **fixed}
        return value
    return _cell(spec)


def _cell(spec: ColSpec) -> dict[str, Any]:
    if isinstance(spec.type, DataType):
        found = _SCALARS[spec.type]
        return found if spec.required and spec.type in _NO_NULLS else {**found, "type": [found["type"], "null"]}
    kind = "array" if isinstance(spec.type, Array) else "object" if isinstance(spec.type, (Map, Object)) else None
    return {} if kind is None else {"type": [kind, "null"]}
