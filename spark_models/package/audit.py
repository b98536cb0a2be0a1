"""What loading a package would run, said without running it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from spark_models.errors import CodeNotAllowedError, listed
from spark_models.package.layout import PYFUNC
from spark_models.package.reader import Package

ALLOW_CODE_VARIABLE = "SPARK_MODELS_ALLOW_CODE"
"""The environment variable that settles `allow_code` where a call does not: 0 or false refuses."""

OWN_LOADERS = ("spark_models.", "mlflow.")
PICKLES = (".pkl", ".pickle", ".joblib", ".cloudpickle", ".pt", ".pth", ".dill")
BOOSTERS = ("lightgbm.basic.Booster", "xgboost.core.Booster")


def code_reasons(package: Package) -> tuple[str, ...]:
    """Why loading the package runs code that it carries or names; empty where it does not.

    Pickles count: unpickling calls whatever they name. So does whatever else of a package's files becomes a call: a
    class that the MLmodel names, a graph with operations on files, arguments of a server that is started.
    """
    conf = package.model.flavors.get(PYFUNC, {})
    reasons = []
    if conf.get("code") is not None:
        reasons.append(f"the folder {str(conf['code'])!r} goes on the import path")
    loader = str(conf.get("loader_module", ""))
    own = loader.startswith(OWN_LOADERS)
    if loader != "" and not own:
        reasons.append(f"the loader module {loader!r} is imported")
    names = list(package.files())
    safe: tuple[str, ...] = ()
    for flavor in _flavors(package, loader):
        found, read_safely = _RULES[flavor](package, package.model.flavors.get(flavor, conf), names)
        reasons.extend(found)
        safe += read_safely
    pickles = [name for name in names if name.endswith(PICKLES) and name not in safe]
    reasons.extend(f"{name!r} is a pickle" for name in pickles)
    if loader in ("spark_models.pyfunc.model", "mlflow.pyfunc.model") and pickles == []:
        # The file may have any name: the loader unpickles what the MLmodel says.
        reasons.append(f"the loader module {loader!r} unpickles a file of the package")
    return tuple(dict.fromkeys(reasons))


def code_allowed(allow_code: bool | None) -> bool:
    """Whether code of packages may run: as the call says, else the environment, else yes."""
    if allow_code is not None:
        return allow_code
    return os.environ.get(ALLOW_CODE_VARIABLE, "1").strip().lower() not in ("0", "false", "no")


def refuse_code(package: Package, allow_code: bool | None) -> None:
    """Raises CodeNotAllowedError [CODE_NOT_ALLOWED] if loading runs code and neither call nor environment allows it."""
    if not code_allowed(allow_code):
        reasons = code_reasons(package)
        if reasons != ():
            raise CodeNotAllowedError(str(package.root), reasons)


# --- what each flavor's loader does with a package's files: reasons; and files that only look like pickles

_Found = tuple[list[str], tuple[str, ...]]
_NOTHING: _Found = ([], ())


def _flavors(package: Package, loader: str) -> list[str]:
    """The flavors whose loader may read the package: those that it has, and the one that its python_function names."""
    named = loader.rpartition(".")[2] if loader.startswith(OWN_LOADERS) else ""
    return [name for name in _RULES if name in package.model.flavors or name == named]


def _estimator(package: Package, conf: Mapping[str, Any], names: list[str]) -> _Found:
    if conf.get("model_class") in BOOSTERS or ("lgb_version" in conf and "model_class" not in conf):
        return _NOTHING
    file = str(conf.get("pickled_model", conf.get("model_path", conf.get("data", "model.pkl"))))
    if conf.get("serialization_format") != "skops":
        return [f"{file!r} is a pickle"], ()
    trusted = conf.get("skops_trusted_types") or ()
    return ([f"skops builds the types {listed(trusted)}, which the package itself trusts"] if trusted else []), ()


def _pickled(package: Package, conf: Mapping[str, Any], names: list[str]) -> _Found:
    return [f"{str(conf.get('data'))!r} is a pickle"], ()


def _pytorch(package: Package, conf: Mapping[str, Any], names: list[str]) -> _Found:
    folder = str(conf.get("model_data", "data"))
    form = conf.get("serialization_format")
    if form == "safetensors":
        return [f"the class {str(conf.get('model_class'))!r} is imported and called"], ()
    if form == "torchscript" or (form is None and f"{folder}/model.pt2" in names) or form == "pt2":
        return [], (f"{folder}/model.pth",)
    return [f"'{folder}/model.pth' is a pickle"], ()


def _keras(package: Package, conf: Mapping[str, Any], names: list[str]) -> _Found:
    folder = str(conf.get("data", "data"))
    if f"{folder}/model.keras" in names:
        return _NOTHING
    if any(name in names for name in (folder, f"{folder}/model.h5")):
        return ["Keras may rebuild Lambda layers from bytecode in the HDF5 file"], ()
    return _tensorflow(package, conf, names)


def _tensorflow(package: Package, conf: Mapping[str, Any], names: list[str]) -> _Found:
    if conf.get("model_type") == "keras" and not any(name.endswith("saved_model.pb") for name in names):
        return _keras(package, conf, names)
    return ["the graph of a SavedModel may read and write files"], ()


def _h2o(package: Package, conf: Mapping[str, Any], names: list[str]) -> _Found:
    settings = package.root / str(conf.get("data", "model.h2o")) / "h2o.yaml"
    reasons = []
    if settings.is_file():
        text = settings.read_text(encoding="utf-8", errors="replace")
        if "\ninit:" in f"\n{text}":
            reasons.append("h2o.init is called with the arguments of its h2o.yaml")
        if "model_format: mojo" in text:
            return reasons, ()
    return [*reasons, "the server of H2O deserializes its model"], ()


def _crate(package: Package, conf: Mapping[str, Any], names: list[str]) -> _Found:
    return ([] if PYFUNC in package.model.flavors else ["its model is an R function"]), ()


_RULES: dict[str, Callable[[Package, Mapping[str, Any], list[str]], _Found]] = {
    "sklearn": _estimator,
    "lightgbm": _estimator,
    "statsmodels": _pickled,
    "fastai": _pickled,
    "pytorch": _pytorch,
    "keras": _keras,
    "tensorflow": _tensorflow,
    "h2o": _h2o,
    "crate": _crate,
}
"""The flavors not named here read files that hold no code."""
