"""The mleap flavor: Spark ML pipelines that a JVM scores without Spark."""

from __future__ import annotations

from spark_models.flavors.mleap import add_to_model, default_requirements, load_model, log_model, save_model

__all__ = ["add_to_model", "default_requirements", "load_model", "log_model", "save_model"]
