"""The models that the contract suite tests: each built-in flavor, beyond one lucky path."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
from flavor_laws import FlavorCase
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import spark_models.pyfunc
import spark_models.sklearn
from spark_models.models import ModelSignature, infer_signature
from spark_models.types.schema import Schema, TensorSpec

CARRIED = Path(__file__).parent / "carried"
RANDOM = np.random.default_rng(0)


def measures(rows: int) -> pd.DataFrame:
    return pd.DataFrame(RANDOM.normal(size=(rows, 3)), columns=["a", "b", "c d"])


def people(rows: int) -> pd.DataFrame:
    """Text with missing values beside numbers."""
    frame = pd.DataFrame({"city": RANDOM.choice(["Ulm", "Graz", "Basel"], rows).astype(object)})
    frame.loc[::4, "city"] = None
    return frame.assign(age=RANDOM.integers(18, 80, rows).astype("float64"), member=RANDOM.random(rows) > 0.5)


# --- sklearn


def sklearn_case(name: str, fitted: Any, data: pd.DataFrame, method: str = "predict", **options: Any) -> FlavorCase:
    answer = getattr(fitted, method)

    def save(path: Path, **arguments: Any) -> None:
        spark_models.sklearn.save_model(fitted, path, pyfunc_predict_fn=method, **options, **arguments)

    return FlavorCase(
        name=f"sklearn {name}",
        save=save,
        oracle=answer,
        data=data,
        signature=infer_signature(data, answer(data)),
        native=lambda path, rows: getattr(spark_models.sklearn.load_model(path), method)(rows),
        library=("sklearn", "scipy", "pyspark"),
    )


@cache
def classifier() -> Any:
    train = measures(60)
    return LogisticRegression().fit(train, np.where(train["a"] > train["b"], "more", "less"))


def pipeline() -> Any:
    train = people(80)
    columns = ColumnTransformer(
        [("text", OneHotEncoder(handle_unknown="ignore"), ["city"]), ("number", StandardScaler(), ["age"])],
        remainder="passthrough",
    )
    return make_pipeline(columns, LogisticRegression()).fit(train, train["age"] > 40)


def transformer() -> Any:
    return StandardScaler().set_output(transform="pandas").fit(measures(20))


def several_outputs(estimator: Any) -> Any:
    train = measures(40)
    return estimator.fit(train, train[["a", "b"]].to_numpy() * 2)


def sklearn_cases() -> list[FlavorCase]:
    return [
        sklearn_case("logistic regression, pickle", classifier(), measures(9), serialization_format="pickle"),
        sklearn_case("logistic regression, cloudpickle", classifier(), measures(9), serialization_format="cloudpickle"),
        sklearn_case("logistic regression, joblib", classifier(), measures(9), serialization_format="joblib"),
        sklearn_case("predict_proba", classifier(), measures(9), "predict_proba"),
        sklearn_case("pipeline with text", pipeline(), people(9)),
        sklearn_case("two outputs, linear", several_outputs(LinearRegression()), measures(9)),
        sklearn_case("two outputs, forest", several_outputs(RandomForestRegressor(5, random_state=0)), measures(9)),
        sklearn_case("transformer of frames", transformer(), measures(9), "transform"),
    ]


# --- python_function


def pyfunc_case(
    name: str,
    save: Callable[..., None],
    oracle: Callable[[Any], Any],
    data: Any,
    signature: ModelSignature | None = None,
    **facts: Any,
) -> FlavorCase:
    found = infer_signature(data, oracle(data)) if signature is None else signature
    return FlavorCase(f"python_function {name}", save, oracle, data, found, library=("pyspark",), **facts)


def saves(python_model: Any, **options: Any) -> Callable[..., None]:
    def save(path: Path, **arguments: Any) -> None:
        spark_models.pyfunc.save_model(path, python_model=python_model, **options, **arguments)

    return save


class NamesColumns(spark_models.pyfunc.PythonModel):
    """Asks for columns by name, and writes into its input."""

    def predict(self, context: Any, model_input: Any) -> Any:
        model_input["a"] *= 2
        model_input["sum"] = model_input["a"] + model_input["c d"]
        texts = np.array([f"{value:.2f}" for value in model_input["b"]], dtype=object)
        return pd.DataFrame({"sum": model_input["sum"], "text": texts})


def named_columns(data: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"sum": data["a"] * 2 + data["c d"], "text": data["b"].map("{:.2f}".format)})


class Weighted(spark_models.pyfunc.PythonModel):
    """Its weights are an artifact."""

    def load_context(self, context: Any) -> None:
        self.weights = np.loadtxt(context.artifacts["weights"])

    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input.to_numpy() @ self.weights


def save_weighted(path: Path, **arguments: Any) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "weights.txt")
        file.write_text("1\n2\n3\n")
        spark_models.pyfunc.save_model(path, python_model=Weighted(), artifacts={"weights": str(file)}, **arguments)


def save_with_code(path: Path, code_paths: Any = (), **arguments: Any) -> None:
    import contract_scale

    model = contract_scale.Scaled(2.0, -1.0)
    code = [CARRIED / "contract_scale.py", *code_paths]
    spark_models.pyfunc.save_model(path, python_model=model, code_paths=code, **arguments)


def save_with_loader(path: Path, code_paths: Any = (), **arguments: Any) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "factors.json")
        data.write_text(json.dumps({"a": 2.0, "b": -1.0}))
        code = [CARRIED / "contract_scale.py", *code_paths]
        spark_models.pyfunc.save_model(
            path, loader_module="contract_scale", data_path=data, code_paths=code, **arguments
        )


class Brightness(spark_models.pyfunc.PythonModel):
    """Takes images as one array, and darkens them where they stand."""

    def predict(self, context: Any, model_input: Any) -> Any:
        model_input //= 2
        return model_input.reshape(len(model_input), -1).mean(axis=1)


class Both(spark_models.pyfunc.PythonModel):
    """Takes two named tensors and gives two."""

    def predict(self, context: Any, model_input: Any) -> Any:
        left, right = model_input["left"], model_input["right"]
        return {"sum": left + right, "first": left[:, 0]}


def both(data: dict[str, Any]) -> dict[str, Any]:
    return {"sum": data["left"] + data["right"], "first": data["left"][:, 0]}


def pyfunc_cases() -> list[FlavorCase]:
    images = RANDOM.integers(0, 256, (9, 4, 4)).astype("uint8")
    tensors = {"left": RANDOM.random((9, 2)).astype("float32"), "right": RANDOM.random((9, 2)).astype("float32")}
    image_signature = ModelSignature(
        Schema([TensorSpec(np.dtype("uint8"), (-1, 4, 4))]), Schema([TensorSpec(np.dtype("float64"), (-1,))])
    )
    numbers = measures(9)
    return [
        pyfunc_case("that asks for names", saves(NamesColumns()), named_columns, numbers),
        pyfunc_case("with an artifact", save_weighted, lambda rows: rows.to_numpy() @ [1.0, 2.0, 3.0], numbers),
        pyfunc_case("with code", save_with_code, lambda rows: 2.0 * rows["a"] + -1.0 * rows["b"], numbers),
        pyfunc_case(
            "by loader and data", save_with_loader, lambda rows: (2.0 * rows["a"] - rows["b"]).to_numpy(), numbers
        ),
        pyfunc_case(
            "of an image",
            saves(Brightness()),
            lambda rows: (rows // 2).reshape(len(rows), -1).mean(axis=1),
            images,
            image_signature,
        ),
        pyfunc_case("of named tensors", saves(Both()), both, tensors),
    ]


sys.path.insert(0, str(CARRIED))
# The models above are pickled with their code: another process imports nothing from here.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
