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
    `metadata` or in its python_function flavor. A signature that fixes the number of rows can't be split.
    """
    inputs = model.get_input_schema()
    if inputs is not None and inputs.has_fixed_axis():
        return False
    stated = _stated(model, "split_invariant")
    if stated is not None:
        return stated is True
    found = capabilities(model)
    return found is not None and found.split_invariant


def tensor_rows(model: Model) -> int | None:
    """How many rows a model of tensors should be given at once, as its flavor or the package's `batch_rows` says.

    None for a model of columns, and for one whose first axis is fixed, or whose rows depend on those beside them: such
    a batch is not to be cut.
    """
    inputs = model.get_input_schema()
    if inputs is None or not inputs.is_tensor_spec() or not split_invariant(model):
        return None
    stated = _stated(model, "batch_rows")
    if isinstance(stated, int) and stated > 0:
        return stated
    found = capabilities(model)
    return None if found is None else found.batch_rows


def capabilities(model: Model) -> Capabilities | None:
    """What the flavor that loads a package's python_function is capable of; None for a PythonModel or other loaders."""
    name = loader_module_name(str(model.flavors.get(PYFUNC, {}).get("loader_module")))
    if not name.startswith("spark_models.") or name == "spark_models.pyfunc.model":
        return None
    flavor = importlib.import_module(f"spark_models.flavors.{name.rpartition('.')[2]}")
    found = getattr(flavor, "CAPABILITIES", None)
    return found if isinstance(found, Capabilities) else None


def _stated(model: Model, name: str) -> Any:
    """What the package itself says: in its python_function flavor, else in its metadata."""
    metadata = getattr(model, "metadata", None)
    other = metadata.get(name) if isinstance(metadata, dict) else None
    return model.flavors.get(PYFUNC, {}).get(name, other)
