"""The types of inputs and outputs."""

from __future__ import annotations

from spark_models.schema.datatypes import DataType
from spark_models.schema.params import ParamSchema, ParamSpec
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec, TensorSpec

__all__ = ["ColSpec", "DataType", "ParamSchema", "ParamSpec", "Schema", "TensorSpec"]
