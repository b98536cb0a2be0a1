"""Custom Python models: the base class, its context, and the loader of packages that hold one.

Saved models name this module: its name and that of its classes are part of the format.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spark_models.errors import InvalidArgumentError, InvalidMLmodelError, InvalidModelError
from spark_models.flavors.base import Capabilities, Format
from spark_models.package.layout import MLMODEL
from spark_models.package.reader import open_package

CAPABILITIES = Capabilities(
    library="cloudpickle",
    inputs=("dataframe", "ndarray", "dict"),
    split_invariant=False,
    formats=(Format("cloudpickle", "unpickles the model"),),
    methods=("any of its own",),
)


class PythonModel:
    """A model of your own: subclass it, define `predict`, and save an instance with `pyfunc.save_model`.

    The instance is pickled with its class. What it needs from files belongs into `load_context`, which runs once each
    time the model is loaded.

    >>> class AddN(PythonModel):
    ...     def __init__(self, n):
    ...         self.n = n
    ...     def predict(self, context, model_input):
    ...         return model_input + self.n
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Called when the model is loaded, before the first prediction; `context.artifacts` has the files."""

    def predict(self, context: PythonModelContext, model_input: Any) -> Any:
        """The predictions for `model_input`, as many as it has rows.

        `model_input` is a DataFrame in the order and types of a column signature, an array or dict of arrays for a
        tensor signature, and what the caller gave where there is none. A third argument `params` gets the parameters
        of the call.
        """
        raise NotImplementedError("a PythonModel defines predict(self, context, model_input)")


class PythonModelContext:
    """What a PythonModel finds when it is loaded: `artifacts` by name, and the `model_config` of the load."""

    __slots__ = ("artifacts", "model_config")

    def __init__(self, artifacts: Mapping[str, str], model_config: Mapping[str, Any] | None = None) -> None:
        self.artifacts = dict(artifacts)
        self.model_config = dict(model_config or {})

    def __repr__(self) -> str:
        return f"PythonModelContext(artifacts={sorted(self.artifacts)})"


class PythonModelPredictor:
    """A loaded PythonModel with its context, under the one calling convention of predictors."""

    __slots__ = ("_call", "_takes_context", "context", "python_model", "takes_params")

    def __init__(self, python_model: Any, context: PythonModelContext, method: str = "predict") -> None:
        self.python_model = python_model
        self.context = context
        call = None if method.startswith("_") else getattr(python_model, method, None)
        if not callable(call):
            raise InvalidModelError("python_function", f"a {type(python_model).__name__}", f"a model with {method}()")
        self._call = call
        self._takes_context, self.takes_params = _convention(call)

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The model's own output."""
        arguments = [self.context, data] if self._takes_context else [data]
        if self.takes_params:
            return self._call(*arguments, params=params)
        if params:
            raise InvalidArgumentError(
                "The model takes no params", "add a third argument 'params' to its predict, and save it again"
            )
        return self._call(*arguments)

    def with_method(self, method: str) -> PythonModelPredictor:
        """The same model, scored by another of its public methods of the form (context, model_input)."""
        return PythonModelPredictor(self.python_model, self.context, method)


def _convention(call: Any) -> tuple[bool, bool]:
    """Whether a predict method takes the context, and whether it takes params; MLflow 3 leaves the context out."""
    try:
        parameters = list(inspect.signature(call).parameters.values())
    except (TypeError, ValueError):
        return True, False
    takes_params = any(item.name == "params" for item in parameters)
    positional = [
        item
        for item in parameters
        if item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD) and item.name != "params"
    ]
    variadic = any(item.kind is item.VAR_POSITIONAL for item in parameters)
    takes_context = variadic or len(positional) >= 2 or (len(positional) == 1 and positional[0].name == "context")
    return takes_context, takes_params


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> PythonModelPredictor:
    """The predictor of the package at `path`: unpickles the instance and calls its `load_context`."""
    # It needs the classes above.
    from spark_models.pyfunc.unpickling import ModelUnpickler

    package = open_package(Path(path))
    conf = package.pyfunc
    with open(package.path(conf.get("python_model")), "rb") as stream:
        python_model = ModelUnpickler(stream).load()
    stated = conf.get("artifacts") or {}
    if not isinstance(stated, Mapping) or not all(isinstance(entry, Mapping) for entry in stated.values()):
        raise InvalidMLmodelError(str(package.root / MLMODEL), "'artifacts' must map each name to its 'path'")
    artifacts = {name: str(package.path(entry.get("path"))) for name, entry in stated.items()}
    context = PythonModelContext(artifacts, model_config)
    if hasattr(python_model, "load_context"):
        python_model.load_context(context)
    return PythonModelPredictor(python_model, context)
