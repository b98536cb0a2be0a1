"""Writes the packages of tests/compat/mlflow-VERSION: by the MLflow that is installed where this runs.

MLflow writes paths into them, so it is run from a copy in a neutral place, and the result is moved.

    python mlflow_packages.py FOLDER    # in an environment with mlflow==VERSION; writes FOLDER/mlflow-VERSION

Made with Python 3.11, for a pickled PythonModel holds bytecode: mlflow 1.20.2 (protobuf<3.21, sqlalchemy<1.4.40,
click<8.1, flask<2.3, numpy==1.23.5, pandas==2.0.3, onnx<1.15, xgboost-cpu==2.1.4), 2.22.1 and 3.17.2. They are
committed as that MLflow wrote them, and never renewed; only the answers are written beside them, in answers.json.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
import numpy as np
import pandas as pd

ROOT = Path(sys.argv[1]).absolute()
NAMES = ["a", "b", "c"]
ROWS = pd.DataFrame([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5], [-2.0, 3.0, 1.0]], columns=NAMES)
TRAIN = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=NAMES)
TARGET = TRAIN["a"] - 2 * TRAIN["b"]
LABEL = (TARGET > 0).astype("int64")


class Weighted(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """Pickled by value, with its base class by name."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def load_context(self, context: Any) -> None:
        self.offset = float(Path(context.artifacts["offset"]).read_text())

    def predict(self, context: Any, model_input: Any) -> Any:
        return (model_input["a"] * self.factor + self.offset).to_numpy()


def python_model(path: Path) -> None:
    offset = path.parent / "offset.txt"
    offset.write_text("0.5")
    mlflow.pyfunc.save_model(str(path), python_model=Weighted(2.0), artifacts={"offset": str(offset)}, **facts())
    offset.unlink()


def sklearn(path: Path) -> None:
    import mlflow.sklearn
    from sklearn.linear_model import LinearRegression

    mlflow.sklearn.save_model(LinearRegression().fit(TRAIN, TARGET), str(path), **facts())


def xgboost(path: Path) -> None:
    import mlflow.xgboost
    import xgboost as library

    booster = library.train({"max_depth": 2}, library.DMatrix(TRAIN, label=TARGET), 3)
    mlflow.xgboost.save_model(booster, str(path), **facts())


def xgboost_classifier(path: Path) -> None:
    import mlflow.xgboost
    import xgboost as library

    fitted = library.XGBClassifier(n_estimators=3, max_depth=2).fit(TRAIN, LABEL)
    mlflow.xgboost.save_model(fitted, str(path), **facts())


def lightgbm(path: Path) -> None:
    import lightgbm as library
    import mlflow.lightgbm

    data = library.Dataset(TRAIN, label=TARGET)
    booster = library.train({"verbose": -1, "min_data_in_leaf": 5, "num_leaves": 4}, data, 3)
    mlflow.lightgbm.save_model(booster, str(path), **facts())


def catboost(path: Path) -> None:
    import catboost as library
    import mlflow.catboost

    model = library.CatBoostRegressor(iterations=3, depth=2, verbose=False, allow_writing_files=False)
    mlflow.catboost.save_model(model.fit(TRAIN, TARGET), str(path), **facts())


def onnx(path: Path) -> None:
    import mlflow.onnx
    from onnx import TensorProto, helper

    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 1], [1.0, -2.0, 0.5])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    mlflow.onnx.save_model(model, str(path), **facts())


def statsmodels(path: Path) -> None:
    import mlflow.statsmodels
    import statsmodels.api

    fitted = statsmodels.api.OLS(TARGET.to_numpy(), TRAIN).fit()
    mlflow.statsmodels.save_model(fitted, str(path), **facts())


MAKERS: list[Callable[[Path], None]] = [
    python_model,
    sklearn,
    xgboost,
    xgboost_classifier,
    lightgbm,
    catboost,
    onnx,
    statsmodels,
]
NOT_IN_1_20 = (xgboost_classifier,)


def facts() -> dict[str, Any]:
    """The signature and the example, as MLflow itself takes them."""
    from mlflow.models.signature import infer_signature

    return {"signature": infer_signature(ROWS, np.array([1.0])), "input_example": ROWS}


def plain(answer: Any) -> list[float]:
    """The predictions as numbers, one a row."""
    return [float(value) for value in np.asarray(answer).reshape(len(ROWS))]


def main() -> None:
    folder = ROOT / f"mlflow-{mlflow.__version__}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    answers = {}
    for make in MAKERS:
        if make in NOT_IN_1_20 and mlflow.__version__.startswith("1."):
            continue
        path = folder / make.__name__
        make(path)
        answers[make.__name__] = plain(mlflow.pyfunc.load_model(str(path)).predict(ROWS))
        sys.stdout.write(f"{path.name}: {answers[make.__name__]}\n")
    (folder / "answers.json").write_text(
        json.dumps({"rows": ROWS.to_dict("list"), "answers": answers}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
