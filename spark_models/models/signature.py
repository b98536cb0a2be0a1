"""Model signatures, under the name that the document gives."""

from __future__ import annotations

from spark_models.bridge.infer import infer_signature
from spark_models.schema.signature import ModelSignature

__all__ = ["ModelSignature", "infer_signature"]
