"""What a package's flavor, or the package itself, says of its model."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from typing import Any

from spark_models.flavors.base import Capabilities
from spark_models.flavors.registry import loader_module_name
from spark_models.package.layout import PYFUNC
from spark_models.package.mlmodel import Model


def takes_matrix(conf: Mapping[str, Any], method: str | None) -> bool:
    """Whether the method gives the same for the bare matrix of its columns, as was proved when the model was saved."""
    return bool(conf.get("matrix_input")) and method in (None, conf.get("predict_fn"))


def ignore_lost_names() -> None:
    """Silences what scikit-learn would say of each batch without names: it was proved that they don't matter."""
    warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)


def split_invariant(model: Model) -> bool:
    """Whether scoring a+b equals scoring a, then b: what the package's `split_invariant` says, else its flavor.

    A PythonModel may do anything with a batch, so for it only the package's own word counts, which stands in its
    `metadata` or in its python_function flavor.
    """
    conf = model.flavors.get(PYFUNC, {})
    metadata = getattr(model, "metadata", None)
    stated = conf.get("split_invariant", metadata.get("split_invariant") if isinstance(metadata, dict) else None)
    if stated is not None:
        return stated is True
    name = loader_module_name(str(conf.get("loader_module")))
    if not name.startswith("spark_models.") or name == "spark_models.pyfunc.model":
        return False
    flavor = importlib.import_module(f"spark_models.flavors.{name.rpartition('.')[2]}")
    capabilities = getattr(flavor, "CAPABILITIES", None)
    return isinstance(capabilities, Capabilities) and capabilities.split_invariant
