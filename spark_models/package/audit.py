"""What loading a package would run, said without running it."""

from __future__ import annotations

import os

from spark_models.errors import CodeNotAllowedError
from spark_models.package.layout import PYFUNC
from spark_models.package.reader import Package

ALLOW_CODE_VARIABLE = "SPARK_MODELS_ALLOW_CODE"
"""The environment variable that settles `allow_code` where a call does not: 0 or false refuses."""

OWN_LOADERS = ("spark_models.", "mlflow.")
UNPICKLING = frozenset({"spark_models.pyfunc.model", "mlflow.pyfunc.model", "spark_models.sklearn", "mlflow.sklearn"})
"""Loaders whose model file is a pickle, whatever its name."""

PICKLES = (".pkl", ".pickle", ".joblib", ".cloudpickle", ".pt", ".pth", ".dill")


def code_reasons(package: Package) -> tuple[str, ...]:
    """Why loading the package runs code that it carries or names; empty where it does not.

    Pickles count: unpickling calls whatever they name.
    """
    conf = package.model.flavors.get(PYFUNC, {})
    reasons = []
    if conf.get("code") is not None:
        reasons.append(f"the folder {str(conf['code'])!r} goes on the import path")
    loader = str(conf.get("loader_module", ""))
    if loader != "" and not loader.startswith(OWN_LOADERS):
        reasons.append(f"the loader module {loader!r} is imported")
    pickles = [name for name in package.files() if name.endswith(PICKLES)]
    reasons.extend(f"{name!r} is a pickle" for name in pickles)
    if loader in UNPICKLING and pickles == []:
        # The file may have any name: the loader unpickles what the MLmodel says.
        reasons.append(f"the loader module {loader!r} unpickles a file of the package")
    return tuple(reasons)


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
