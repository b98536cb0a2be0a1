"""The sklearn flavor: scikit-learn estimators as packages."""

from __future__ import annotations

from spark_models.flavors.sklearn import (
    SERIALIZATION_FORMAT_CLOUDPICKLE,
    SERIALIZATION_FORMAT_JOBLIB,
    SERIALIZATION_FORMAT_PICKLE,
    SERIALIZATION_FORMAT_SKOPS,
    _load_pyfunc,
    default_requirements,
    load_model,
    log_model,
    save_model,
)

__all__ = [
    "SERIALIZATION_FORMAT_CLOUDPICKLE",
    "SERIALIZATION_FORMAT_JOBLIB",
    "SERIALIZATION_FORMAT_PICKLE",
    "SERIALIZATION_FORMAT_SKOPS",
    "_load_pyfunc",
    "default_requirements",
    "load_model",
    "log_model",
    "save_model",
]
