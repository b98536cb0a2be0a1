"""Unpickling models of MLflow's own classes where MLflow is not installed.

A model that was pickled with its class names its base, MLflow's `PythonModel`, by module and name. These names are
resolved here, by the unpickler itself: nothing is put into `sys.modules`, so `import mlflow` fails as it did before.
"""

from __future__ import annotations

import importlib.util
import pickle
from typing import Any

from spark_models.errors import MissingExtraError
from spark_models.pyfunc.model import PythonModel, PythonModelContext


class MlflowException(Exception):  # noqa: N818 - the name that pickles give it
    """What the checks of MLflow's predict raise."""


class TypeHints:
    """The types that a predict method states, which MLflow keeps on the method."""

    def __init__(self, input_: Any = None, output: Any = None) -> None:
        self.input = input_
        self.output = output


def given_input(args: Any, kwargs: Any, *_: Any) -> tuple[Any, Any]:
    """The arguments of predict as they are: MLflow checks them against type hints, here the signature has done so."""
    return args, kwargs


_STAND_INS: dict[tuple[str, str], Any] = {
    ("mlflow.pyfunc", "PythonModel"): PythonModel,
    ("mlflow.pyfunc", "PythonModelContext"): PythonModelContext,
    ("mlflow.pyfunc.model", "PythonModel"): PythonModel,
    ("mlflow.pyfunc.model", "PythonModelContext"): PythonModelContext,
    ("mlflow.exceptions", "MlflowException"): MlflowException,
    ("mlflow.models.signature", "_TypeHints"): TypeHints,
    ("mlflow.types.type_hints", "_TypeHints"): TypeHints,
    ("mlflow.pyfunc.utils.data_validation", "_validate_model_input"): given_input,
}
"""What stands for a class or function of MLflow's that a pickled model names."""


class ModelUnpickler(pickle.Unpickler):
    """Unpickles as pickle does; names of MLflow, where it is not installed, by their stand-ins."""

    def find_class(self, module: str, name: str) -> Any:
        """The object of a name.

        Raises:
            MissingExtraError: [MISSING_EXTRA] the model needs something of MLflow that has no stand-in.
        """
        if module.partition(".")[0] != "mlflow" or importlib.util.find_spec("mlflow") is not None:
            return super().find_class(module, name)
        try:
            return _STAND_INS[(module, name)]
        except KeyError:
            raise MissingExtraError(
                "mlflow", "mlflow", f"The pickled model names {module}.{name}: loading it"
            ) from None
