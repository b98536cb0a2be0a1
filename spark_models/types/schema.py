"""Schemas, under the name that the document gives."""

from __future__ import annotations

from spark_models.schema.datatypes import AnyType, Array, DataType, Map, Object, Property
from spark_models.schema.params import ParamSchema, ParamSpec
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec, TensorSpec

__all__ = [
    "AnyType",
    "Array",
    "ColSpec",
    "DataType",
    "Map",
    "Object",
    "ParamSchema",
    "ParamSpec",
    "Property",
    "Schema",
    "TensorSpec",
]
