"""MXNet Gluon networks, as their symbol and parameters: loading runs no code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spark_models.errors import InvalidModelError, UnsupportedInputError
from spark_models.flavors.base import Capabilities, Format, add_example
from spark_models.flavors.native import (
    PackageOptions,
    flavor_conf,
    library,
    log_saved,
    package_at,
    table,
)
from spark_models.package.environment import installed_requirement
from spark_models.package.mlmodel import Model
from spark_models.package.reader import Package, open_package
from spark_models.package.writer import PackageWriter, PathLike
from spark_models.schema.signature import ModelSignature
from spark_models.tracking import LoggedModel

if TYPE_CHECKING:
    from typing_extensions import Unpack

FLAVOR = "gluon"
FOLDER = "data"
NET = "net"
CAPABILITIES = Capabilities(
    library="mxnet",
    inputs=("dataframe", "ndarray"),
    thread_safe=False,
    formats=(Format("symbol and params"),),
    batch_rows=1024,
)


def save_model(
    gluon_model: Any,
    path: PathLike,
    conda_env: Mapping[str, Any] | PathLike | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    **options: Unpack[PackageOptions],
) -> None:
    """Saves a hybridized Gluon network, which has been called once, as a package at `path`.

    Raises:
        InvalidModelError: [INVALID_MODEL] the object is no HybridBlock, or was not hybridized and called.
        ModelPathExistsError: [PATH_EXISTS] `path` exists and is not empty.
    """
    if not any(kind.__name__ == "HybridBlock" for kind in type(gluon_model).__mro__):
        raise InvalidModelError(FLAVOR, f"a {type(gluon_model).__name__}", "a HybridBlock of Gluon")
    mxnet = library("mxnet", "gluon", "Saving this model")
    with PackageWriter(
        path,
        requirements=default_requirements(),
        model=mlflow_model,
        signature=signature,
        conda_env=conda_env,
        **options,
    ) as package:
        folder = package.root / FOLDER
        folder.mkdir()
        try:
            gluon_model.export(str(folder / NET))
        except RuntimeError as error:
            expected = "a network after net.hybridize() and one call"
            raise InvalidModelError(FLAVOR, "one that can't be exported", expected) from error
        add_example(package, input_example, GluonPredictor(gluon_model, mxnet).predict)
        package.add_flavor(FLAVOR, mxnet_version=mxnet.__version__, data=FOLDER, code=package.code)
        package.add_pyfunc("spark_models.gluon", data=FOLDER)


def log_model(
    gluon_model: Any, artifact_path: str, *, registered_model_name: str | None = None, **options: Any
) -> LoggedModel:
    """Saves the model into the active run, with the keyword arguments of `save_model`; gives its URI.

    Raises:
        NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        ModelPathExistsError: [PATH_EXISTS] the run holds a model of that path.
    """
    return log_saved(save_model, gluon_model, artifact_path, registered_model_name, options)


def load_model(model_uri: PathLike, ctx: Any = None) -> Any:
    """The network itself, a SymbolBlock on the context `ctx`; on the CPU without one.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] the model was not saved by this flavor.
        MissingExtraError: [MISSING_EXTRA] mxnet is not installed.
    """
    package = open_package(model_uri)
    return _load(package, package.flavor(FLAVOR), ctx)


def _load_pyfunc(path: str) -> GluonPredictor:
    """The predictor of the package that `path`, a package or its data folder, lies in; on a GPU where there is one."""
    package = package_at(path)
    mxnet = library("mxnet", "gluon")
    context = mxnet.gpu() if mxnet.context.num_gpus() > 0 else mxnet.cpu()
    return GluonPredictor(_load(package, flavor_conf(package, FLAVOR), context), mxnet)


class GluonPredictor:
    """A network that scores arrays, or the matrix of a DataFrame."""

    __slots__ = ("model", "mxnet")
    keeps_input = True

    def __init__(self, model: Any, mxnet: Any) -> None:
        self.model = model
        self.mxnet = mxnet

    def predict(self, data: Any) -> Any:
        """The network's output for float32 numbers: an array for an array, a DataFrame for a DataFrame.

        Raises:
            UnsupportedInputError: [UNSUPPORTED_INPUT] data of another kind.
        """
        if isinstance(data, pd.DataFrame):
            return table(self._call(data.to_numpy()), data.index)
        if not isinstance(data, np.ndarray):
            raise UnsupportedInputError(f"a {type(data).__name__}", "a DataFrame or an array")
        return self._call(data)

    def _call(self, values: Any) -> Any:
        found = self.model(self.mxnet.nd.array(values))
        return found.asnumpy() if hasattr(found, "asnumpy") else [item.asnumpy() for item in found]


def default_requirements() -> list[str]:
    """What a package of this flavor needs: mxnet, and the last numpy that it works with."""
    return [installed_requirement("mxnet"), "numpy<1.24"]


def _load(package: Package, conf: Mapping[str, Any], context: Any) -> Any:
    mxnet = library("mxnet", "gluon")
    folder = package.path(conf.get("data", FOLDER))
    symbol, parameters = folder / f"{NET}-symbol.json", folder / f"{NET}-0000.params"
    return mxnet.gluon.SymbolBlock.imports(str(symbol), ["data"], str(parameters), ctx=context or mxnet.cpu())
