"""Models, their signatures, and how to infer one."""

from __future__ import annotations

from spark_models.bridge.infer import infer_signature
from spark_models.package.mlmodel import Model
from spark_models.schema.signature import ModelSignature

__all__ = ["Model", "ModelSignature", "infer_signature"]
