"""PyTorch modules: by torch.save, as TorchScript, as an exported program (pt2), or as safetensors of a named class."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spark_models.errors import InvalidArgumentError, InvalidModelError, UnsupportedInputError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import (
    DEVICE_VARIABLE,
    PackageOptions,
    float32_where_double,
    imported,
    kind_of,
    library,
    log_saved,
    one_of,
    package_at,
    table,
    thread_limit,
)
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel

if TYPE_CHECKING:
    from typing_extensions import Unpack

FLAVOR = "pytorch"
FOLDER = "data"
PICKLE_MODULE = "mlflow.pytorch.pickle_module"
"""What MLflow unpickles with; it is cloudpickle's pickler, which is used here as well."""
FORMAT_PICKLE, FORMAT_SCRIPT, FORMAT_PT2, FORMAT_SAFETENSORS = "pickle", "torchscript", "pt2", "safetensors"
FILES = {
    FORMAT_PICKLE: "model.pth",
    FORMAT_SCRIPT: "model.pth",
    FORMAT_PT2: "model.pt2",
    FORMAT_SAFETENSORS: "model.safetensors",
}
CAPABILITIES = Capabilities(
    library="torch",
    inputs=("dataframe", "ndarray", "dict"),
    formats=(
        Format(FORMAT_PICKLE, "unpickles the module"),
        Format(FORMAT_SCRIPT),
        Format(FORMAT_PT2),
        Format(FORMAT_SAFETENSORS, "imports the module's class"),
    ),
    batch_rows=1024,
)


def save_model(
    pytorch_model: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    *,
    serialization_format: str | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = None,
    **options: Unpack[PackageOptions],
) -> None:
    """Saves a torch.nn.Module as a package at `path`; scoring is by its evaluation mode, without gradients.

    | serialization_format | file | what loading needs |
    | --- | --- | --- |
    | "pickle", the default | `torch.save` of the module | its class, or the pickled copy of it; runs code |
    | "torchscript", the default for a ScriptModule | TorchScript | torch alone |
    | "pt2" | `torch.export` on the input example, any number of rows | torch alone, from 2.4 on |
    | "safetensors" | the state dict | its class by import, called with `model_kwargs` (values that JSON has) |

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no module, or no class of a file stands for it.
        InvalidArgumentError: [INVALID_ARGUMENT] the format is unknown, or pt2 has no example to export by.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    torch = library("torch", "pytorch", "Saving this model")
    if not isinstance(pytorch_model, torch.nn.Module):
        raise InvalidModelError(FLAVOR, f"a {type(pytorch_model).__name__}", "a torch.nn.Module")
    is_script = isinstance(pytorch_model, torch.jit.ScriptModule)
    form = one_of("serialization format", serialization_format or _default_format(is_script), list(FILES))
    with PackageWriter(
        path,
        requirements=default_requirements(form),
        model=mlflow_model,
        signature=signature,
        conda_env=conda_env,
        **options,
    ) as package:
        predictor = TorchPredictor(pytorch_model, torch, _device_of(pytorch_model))
        with predictor.evaluating():
            add_example(package, input_example, predictor.predict)
            folder = package.root / FOLDER
            folder.mkdir()
            if form == FORMAT_PICKLE:
                torch.save(pytorch_model, folder / FILES[form], pickle_module=library("cloudpickle"))
            elif form == FORMAT_SCRIPT:
                scripted = pytorch_model if is_script else torch.jit.script(pytorch_model)
                torch.jit.save(scripted, str(folder / FILES[form]))
            elif form == FORMAT_PT2:
                _export(pytorch_model, package, folder / FILES[form], torch, dynamic_shapes)
            else:
                _save_tensors(pytorch_model, folder, model_kwargs or {})
        (folder / "pickle_module_info.txt").write_text(PICKLE_MODULE, encoding="utf-8")
        package.add_flavor(
            FLAVOR,
            pytorch_version=str(torch.__version__),
            model_data=FOLDER,
            serialization_format=form,
            model_class=kind_of(pytorch_model) if form == FORMAT_SAFETENSORS else None,
            code=package.code,
        )
        package.add_pyfunc("spark_models.pytorch", data=FOLDER, pickle_module_name=PICKLE_MODULE)


def log_model(
    pytorch_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, pytorch_model, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike, device: str | None = None) -> Any:
    """The module itself, on `device` (a name of torch's), where it was saved if that is None; in evaluation mode.

    Loading a pickled module runs code: load only what you trust.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] torch is not installed.
    """
    package = open_package(model_uri)
    return _load(package, package.flavor(FLAVOR), device)


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> TorchPredictor:
    """The predictor of the package that `path`, a package or its data folder, lies in.

    The device is the `device` of `model_config`, that of the environment's SPARK_MODELS_DEVICE, or a GPU where torch
    sees one.
    """
    package = package_at(path)
    torch = library("torch", "pytorch")
    limit = thread_limit()
    if limit is not None:
        torch.set_num_threads(limit)
    stated = (model_config or {}).get("device") or os.environ.get(DEVICE_VARIABLE)
    device = str(stated or ("cuda" if torch.cuda.is_available() else "cpu"))
    return TorchPredictor(_load(package, package.model.flavors.get(FLAVOR, {}), device), torch, device)


class TorchPredictor:
    """A module that scores DataFrames, arrays and dicts of arrays."""

    __slots__ = ("device", "model", "torch")

    def __init__(self, model: Any, torch: Any, device: str) -> None:
        self.model = model
        self.torch = torch
        self.device = device

    def predict(self, data: Any) -> Any:
        """The module's output.

        | data | the module gets | answer |
        | --- | --- | --- |
        | DataFrame | a float32 matrix | DataFrame, a column a value |
        | array | a tensor of that dtype | array |
        | dict of arrays | tensors by keyword | as its output |

        A dict of tensors comes as a dict of arrays; a tuple as one with the keys "0", "1", ….

        Raises:
            UnsupportedInputError: [UNSUPPORTED_INPUT] data of another kind.
            InvalidModelError: [INVALID_MODEL] the module gives no tensors.
        """
        with self.torch.inference_mode():
            if isinstance(data, pd.DataFrame):
                output = self.model(self._tensor(float32_where_double(data.to_numpy())))
                return table(self._array(output), data.index)
            if isinstance(data, np.ndarray):
                return self._plain(self.model(self._tensor(data)))
            if isinstance(data, dict):
                return self._plain(self.model(**{name: self._tensor(values) for name, values in data.items()}))
        raise UnsupportedInputError(f"a {type(data).__name__}", "a DataFrame, an array or a dict of arrays")

    def evaluating(self) -> _Evaluating:
        """The module in evaluation mode for a while; as it was afterwards."""
        return _Evaluating(self.model)

    def _tensor(self, values: Any) -> Any:
        # torch shares the memory of an array, and warns of one that can't be written to.
        own = values if values.flags.writeable else values.copy()
        return self.torch.from_numpy(np.ascontiguousarray(own)).to(self.device)

    def _array(self, output: Any) -> Any:
        if not isinstance(output, self.torch.Tensor):
            raise InvalidModelError(FLAVOR, f"one that gives a {type(output).__name__}", "a module that gives a tensor")
        return output.detach().cpu().numpy()

    def _plain(self, output: Any) -> Any:
        if isinstance(output, dict):
            return {str(name): self._array(item) for name, item in output.items()}
        if isinstance(output, (tuple, list)):
            return {str(position): self._array(item) for position, item in enumerate(output)}
        return self._array(output)


class _Evaluating:
    __slots__ = ("model", "was_training")

    def __init__(self, model: Any) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.was_training = self.model.training
        self.model.train(False)

    def __exit__(self, *_: object) -> None:
        self.model.train(self.was_training)


def default_requirements(serialization_format: str = FORMAT_PICKLE) -> list[str]:
    """What a package of this flavor needs: torch, and the library of its format, in the versions installed."""
    others = {FORMAT_PICKLE: ["cloudpickle"], FORMAT_SAFETENSORS: ["safetensors"]}
    return [installed_requirement(name) for name in ("torch", *others.get(serialization_format, []))]


def _default_format(is_script: bool) -> str:
    return FORMAT_SCRIPT if is_script else FORMAT_PICKLE


def _device_of(model: Any) -> str:
    first = next(iter(model.parameters()), None)
    return "cpu" if first is None else str(first.device)


def _export(model: Any, package: PackageWriter, file: Path, torch: Any, dynamic_shapes: Any) -> None:
    example = package.model.load_input_example(package.root)
    if example is None:
        raise InvalidArgumentError(
            "The pt2 format is traced on an example, and there is none", "give input_example, with two rows or more"
        )
    frame = isinstance(example, pd.DataFrame)
    arrays = {"": float32_where_double(example.to_numpy())} if frame else example
    given = {"": arrays} if isinstance(arrays, np.ndarray) else arrays
    # An example of one row would fix the number of rows at one.
    tensors = {name: torch.from_numpy(np.concatenate([values, values])) for name, values in given.items()}
    single = list(tensors) == [""]
    args, kwargs = (tuple(tensors.values()), {}) if single else ((), tensors)
    rows = {0: torch.export.Dim.AUTO}
    shapes = dynamic_shapes or (tuple(rows for _ in args) if single else dict.fromkeys(kwargs, rows))
    torch.export.save(torch.export.export(model, args, kwargs, dynamic_shapes=shapes), str(file))


def _save_tensors(model: Any, folder: Path, model_kwargs: Mapping[str, Any]) -> None:
    if kind_of(model).startswith("__main__.") or "<locals>" in kind_of(model):
        raise InvalidModelError(
            FLAVOR, f"as safetensors a {kind_of(model)}", "a module whose class stands in a file that can be imported"
        )
    library("safetensors.torch", "safetensors", "Saving by safetensors").save_model(
        model, str(folder / FILES[FORMAT_SAFETENSORS])
    )
    (folder / "model_kwargs.json").write_text(json.dumps(dict(model_kwargs)), encoding="utf-8")


def _load(package: Package, conf: Mapping[str, Any], device: str | None) -> Any:
    torch = library("torch", "pytorch")
    folder = package.path(conf.get("model_data", FOLDER))
    form = str(conf.get("serialization_format", FORMAT_PT2 if (folder / FILES[FORMAT_PT2]).exists() else FORMAT_PICKLE))
    file = folder / FILES[one_of("serialization format", form, list(FILES))]
    if form == FORMAT_PT2:
        return torch.export.load(str(file)).module()
    if form == FORMAT_SAFETENSORS:
        arguments = json.loads((folder / "model_kwargs.json").read_text(encoding="utf-8"))
        kind = imported(str(conf.get("model_class")), FLAVOR)
        if not (isinstance(kind, type) and issubclass(kind, torch.nn.Module)):
            raise InvalidModelError(FLAVOR, f"a {conf.get('model_class')}", "a class of torch.nn.Module")
        model = kind(**arguments)
        library("safetensors.torch", "safetensors").load_model(model, str(file))
    elif form == FORMAT_SCRIPT or _is_script(file):
        # MLflow names TorchScript's file as that of a pickled module.
        model = torch.jit.load(str(file), map_location=device)
    else:
        model = torch.load(str(file), map_location=device, weights_only=False)
    return model.eval() if device is None else model.to(device).eval()


def _is_script(file: Path) -> bool:
    import zipfile

    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
