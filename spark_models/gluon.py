"""The gluon flavor: MXNet Gluon networks as packages."""

from __future__ import annotations

from spark_models.flavors.gluon import _load_pyfunc, default_requirements, load_model, log_model, save_model

__all__ = ["_load_pyfunc", "default_requirements", "load_model", "log_model", "save_model"]
