"""ONNX models, in their own file, scored by ONNX Runtime: loading runs no code."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spark_models.errors import InvalidArgumentError, InvalidModelError, UnsupportedInputError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import (
    PackageOptions,
    cells,
    flavor_conf,
    library,
    log_saved,
    package_at,
    thread_limit,
)
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel

if TYPE_CHECKING:
    from typing_extensions import Unpack

FLAVOR = "onnx"
MODEL_FILE = "model.onnx"
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
LARGEST = 2_000_000_000
"""Bytes of one protocol buffer: a larger model keeps its weights in a file beside it."""
ELEMENTS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
CAPABILITIES = Capabilities(
    library="onnxruntime", inputs=("dataframe", "ndarray", "dict"), formats=(Format("onnx"),), batch_rows=1024
)


def save_model(
    onnx_model: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    *,
    onnx_execution_providers: Sequence[Any] | None = None,
    onnx_session_options: Mapping[str, Any] | None = None,
    **options: Unpack[PackageOptions],
) -> None:
    """Saves an ONNX model (a ModelProto) as a package at `path`.

    `onnx_execution_providers` are those of ONNX Runtime in their order, each a name or a pair of name and options; one
    that a host has not is left out there. `onnx_session_options` are intra_op_num_threads, inter_op_num_threads,
    execution_mode ("sequential", "parallel"), graph_optimization_level and extra_session_config.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no ONNX model, or onnx's checker refuses it.
        InvalidArgumentError: [INVALID_ARGUMENT] a session option is unknown.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    if type(onnx_model).__name__ != "ModelProto":
        raise InvalidModelError(FLAVOR, f"a {type(onnx_model).__name__}", "an onnx.ModelProto")
    onnx = library("onnx", purpose="Saving this model")
    unknown = sorted(set(onnx_session_options or {}) - {*_SESSION_OPTIONS, "execution_mode", "extra_session_config"})
    if unknown != []:
        raise InvalidArgumentError(f"The session options {unknown} are unknown")
    with PackageWriter(
        path,
        requirements=default_requirements(),
        model=mlflow_model,
        signature=signature,
        conda_env=conda_env,
        **options,
    ) as package:
        file = package.root / MODEL_FILE
        onnx.save_model(onnx_model, str(file), save_as_external_data=onnx_model.ByteSize() > LARGEST)
        try:
            onnx.checker.check_model(str(file))
        except onnx.checker.ValidationError as error:
            raise InvalidModelError(FLAVOR, "one that onnx's checker refuses", "a valid onnx.ModelProto") from error
        providers = [item if isinstance(item, str) else list(item) for item in onnx_execution_providers or PROVIDERS]
        conf = {"providers": providers, "onnx_session_options": dict(onnx_session_options or {}) or None}
        if input_example is not None:
            add_example(package, input_example, OnnxPredictor(_session(str(file), conf)).predict)
        package.add_flavor(FLAVOR, onnx_version=onnx.__version__, data=MODEL_FILE, code=package.code, **conf)
        package.add_pyfunc("spark_models.onnx", data=MODEL_FILE)


def log_model(
    onnx_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, onnx_model, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike) -> Any:
    """The ModelProto itself, after onnx's checker has seen it.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] onnx is not installed.
    """
    package = open_package(model_uri)
    file = str(package.path(package.flavor(FLAVOR).get("data", MODEL_FILE)))
    onnx = library("onnx")
    onnx.checker.check_model(file)
    return onnx.load(file)


def _load_pyfunc(path: str) -> OnnxPredictor:
    """The predictor of the package that `path`, a package or its model file, lies in."""
    package = package_at(path)
    conf = flavor_conf(package, FLAVOR)
    return OnnxPredictor(_session(str(package.path(conf.get("data", MODEL_FILE))), conf))


class OnnxPredictor:
    """A session of ONNX Runtime that scores DataFrames, arrays and dicts of arrays."""

    __slots__ = ("inputs", "outputs", "session")
    keeps_input = True

    def __init__(self, session: Any) -> None:
        self.session = session
        self.inputs = {item.name: item.type for item in session.get_inputs()}
        self.outputs = [item.name for item in session.get_outputs()]

    def predict(self, data: Any) -> Any:
        """All outputs by their names.

        | data | each input | answer |
        | --- | --- | --- |
        | DataFrame | the matrix of all columns for a single input, else the column of its name | DataFrame |
        | array | the single input | dict of arrays |
        | dict of arrays | the array of its name | dict of arrays |

        Doubles are given as float32 where the model asks for it, as tables and JSON have no other. In a DataFrame an
        output with several values a row is a column of lists.

        Raises:
            UnsupportedInputError: [UNSUPPORTED_INPUT] one array for several inputs, or data of another kind.
        """
        answers = self.session.run(self.outputs, self._feeds(data))
        if not isinstance(data, pd.DataFrame):
            return dict(zip(self.outputs, answers, strict=True))
        columns = {name: cells(values) for name, values in zip(self.outputs, answers, strict=True)}
        return pd.DataFrame(columns, index=data.index)

    def _feeds(self, data: Any) -> dict[str, Any]:
        names = list(self.inputs)
        if isinstance(data, pd.DataFrame):
            given = {names[0]: _matrix(data)} if len(names) == 1 else {name: _column(data[name]) for name in names}
        elif isinstance(data, np.ndarray) and len(names) == 1:
            given = {names[0]: data}
        elif isinstance(data, dict):
            given = dict(data)
        else:
            wanted = "a DataFrame, or a dict with an array for each of the inputs"
            raise UnsupportedInputError(f"a {type(data).__name__} for the inputs {names}", wanted)
        return {name: self._cast(name, values) for name, values in given.items()}

    def _cast(self, name: str, values: Any) -> Any:
        wanted = ELEMENTS.get(self.inputs.get(name, ""))
        is_double = isinstance(values, np.ndarray) and values.dtype == np.float64
        return values.astype(wanted) if is_double and wanted is not None else values


def default_requirements() -> list[str]:
    """What a package of this flavor needs: onnx and onnxruntime, in the versions that are installed."""
    return [installed_requirement("onnx"), installed_requirement("onnxruntime", "onnxruntime-gpu")]


_SESSION_OPTIONS = ("inter_op_num_threads", "intra_op_num_threads", "graph_optimization_level")


def _session(file: str, conf: Mapping[str, Any]) -> Any:
    runtime = library("onnxruntime", "onnx")
    settings = runtime.SessionOptions()
    limit = thread_limit()
    if limit is not None:
        settings.intra_op_num_threads = limit
        settings.inter_op_num_threads = 1
    stated = conf.get("onnx_session_options") or {}
    for name in ("inter_op_num_threads", "intra_op_num_threads"):
        if stated.get(name):
            setattr(settings, name, int(stated[name]))
    if stated.get("graph_optimization_level") is not None:
        settings.graph_optimization_level = runtime.GraphOptimizationLevel(int(stated["graph_optimization_level"]))
    if str(stated.get("execution_mode", "")).lower() == "parallel":
        settings.execution_mode = runtime.ExecutionMode.ORT_PARALLEL
    for key, value in (stated.get("extra_session_config") or {}).items():
        settings.add_session_config_entry(str(key), str(value))
    return runtime.InferenceSession(file, settings, providers=_providers(conf.get("providers"), runtime))


def _providers(stated: Any, runtime: Any) -> list[Any]:
    """Those of the stated providers that this host has; a name that comes with options stays a pair."""
    given = [stated] if isinstance(stated, str) else list(stated or PROVIDERS)
    pairs = [item if isinstance(item, str) else tuple(item) for item in given]
    here = set(runtime.get_available_providers())
    usable = [item for item in pairs if (item if isinstance(item, str) else item[0]) in here]
    if usable == []:
        warnings.warn(f"None of the providers {given} is on this host: the CPU scores.", UserWarning, stacklevel=4)
    return usable or ["CPUExecutionProvider"]


def _matrix(frame: pd.DataFrame) -> Any:
    """A frame's values; of one column whose cells are arrays, these stacked."""
    return _column(frame.iloc[:, 0]) if frame.shape[1] == 1 and frame.dtypes.iloc[0] == object else frame.to_numpy()


def _column(values: Any) -> Any:
    cells = values.to_numpy()
    nested = cells.dtype == object and len(cells) > 0 and isinstance(cells[0], (list, np.ndarray))
    return np.stack([np.asarray(cell) for cell in cells]) if nested else cells
