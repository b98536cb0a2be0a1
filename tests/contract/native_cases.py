"""Models of every library that has a flavor, for the contract suite; each is made when its library is there.

`CASES` names them without importing anything; `made` builds one. The oracle is the library's own call.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from flavor_laws import FlavorCase

from spark_models.flavors.registry import flavor_module
from spark_models.models import ModelSignature, infer_signature
from spark_models.types.schema import ColSpec, Schema, TensorSpec

CARRIED = Path(__file__).parent / "carried"
NAMES = ["a", "b", "c d"]
DEMANDED = os.environ.get("SPARK_MODELS_FLAVORS", "").split()
"""The flavors whose cases fail where their library is not installed; others are skipped there."""
CASES: dict[str, tuple[str, Callable[[], FlavorCase]]] = {}
"""The library that a case needs, and what makes it, by the case's name: the flavor, then what is special."""


def case(name: str, library: str) -> Callable[[Callable[[], FlavorCase]], Callable[[], FlavorCase]]:
    """Registers the maker of a case."""

    def register(make: Callable[[], FlavorCase]) -> Callable[[], FlavorCase]:
        CASES[name] = (library, cache(make))
        return make

    return register


@cache
def made(name: str) -> FlavorCase:
    """The case of a name, its model trained."""
    return CASES[name][1]()


def available(name: str) -> FlavorCase | None:
    """The case of a name; None where its library is not installed and its flavor is not demanded."""
    if importlib.util.find_spec(CASES[name][0]) is None and name.split(" ")[0] not in DEMANDED:
        return None
    return made(name)


def rows(count: int, seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(count, 3)), columns=NAMES)


def labels(frame: pd.DataFrame) -> Any:
    return (frame["a"] > frame["b"]).to_numpy().astype("int64")


def targets(frame: pd.DataFrame) -> Any:
    return (frame["a"] - 2 * frame["b"]).to_numpy()


def flavored(name: str, model: Any, oracle: Callable[[Any], Any], data: Any, **facts: Any) -> FlavorCase:
    """A case of the flavor that is the first word of its name; `options` are those of its save_model."""
    flavor = flavor_module(name.split(" ")[0])
    options = facts.pop("options", {})
    signature = facts.pop("signature", None) or infer_signature(data, oracle(data))

    def save(path: Path, **arguments: Any) -> None:
        flavor.save_model(model, path, **options, **arguments)

    answer = facts.pop("answer", None)
    native = None if answer is None else (lambda path, given: answer(flavor.load_model(path), given))
    return FlavorCase(name, save, oracle, data, signature, native=native, **facts)


def tensors(*specs: tuple[str | None, str, tuple[int, ...]]) -> Schema:
    return Schema([TensorSpec(np.dtype(dtype), shape, name) for name, dtype, shape in specs])


# --- trees


def _booster_answer(model: Any, given: Any) -> Any:
    import xgboost

    return model.predict(xgboost.DMatrix(given))


def xgboost_booster(name: str, **options: Any) -> FlavorCase:
    import xgboost

    train = rows(80)
    matrix = xgboost.DMatrix(train, label=labels(train))
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, matrix, 8)
    return flavored(
        name,
        booster,
        lambda given: _booster_answer(booster, given),
        rows(9, 1),
        answer=_booster_answer,
        library=("xgboost", "pyspark"),
        options=options,
    )


case("xgboost Booster, ubj", "xgboost")(lambda: xgboost_booster("xgboost Booster, ubj"))
case("xgboost Booster, json", "xgboost")(lambda: xgboost_booster("xgboost Booster, json", model_format="json"))


@case("xgboost classifier", "sklearn")
def xgboost_classifier() -> FlavorCase:
    import xgboost

    train = rows(80)
    fitted = xgboost.XGBClassifier(n_estimators=8, max_depth=3).fit(train, labels(train))
    return flavored(
        "xgboost classifier",
        fitted,
        fitted.predict,
        rows(9, 1),
        answer=lambda model, given: model.predict(given),
        library=("xgboost", "pyspark"),
    )


@case("lightgbm Booster", "lightgbm")
def lightgbm_booster() -> FlavorCase:
    import lightgbm

    train = rows(80)
    data = lightgbm.Dataset(train, label=targets(train))
    booster = lightgbm.train({"objective": "regression", "verbose": -1, "min_data_in_leaf": 5}, data, 8)
    return flavored(
        "lightgbm Booster",
        booster,
        booster.predict,
        rows(9, 1),
        answer=lambda model, given: model.predict(given),
        library=("lightgbm", "sklearn", "pyspark"),
    )


def lightgbm_classifier(name: str, **options: Any) -> FlavorCase:
    import lightgbm

    train = rows(80)
    fitted = lightgbm.LGBMClassifier(n_estimators=8, min_child_samples=5, verbose=-1).fit(train, labels(train))
    return flavored(
        name,
        fitted,
        fitted.predict,
        rows(9, 1),
        answer=lambda model, given: model.predict(given),
        library=("lightgbm", "sklearn", "pyspark"),
        options=options,
    )


case("lightgbm classifier, cloudpickle", "lightgbm")(lambda: lightgbm_classifier("lightgbm classifier, cloudpickle"))


@case("lightgbm classifier, skops", "skops")
def lightgbm_skops() -> FlavorCase:
    trusted = [
        "collections.OrderedDict",
        "collections.defaultdict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
    ]
    return lightgbm_classifier("lightgbm classifier, skops", serialization_format="skops", skops_trusted_types=trusted)


def catboost_case(name: str, kind: str, truth: Callable[[pd.DataFrame], Any], **options: Any) -> FlavorCase:
    import catboost

    train = rows(80)
    model = getattr(catboost, kind)(iterations=8, depth=3, verbose=False, allow_writing_files=False)
    fitted = model.fit(train, truth(train))
    return flavored(
        name,
        fitted,
        fitted.predict,
        rows(9, 1),
        answer=lambda loaded, given: loaded.predict(given),
        library=("catboost", "pyspark"),
        options=options,
    )


case("catboost regressor, cbm", "catboost")(
    lambda: catboost_case("catboost regressor, cbm", "CatBoostRegressor", targets)
)
case("catboost classifier, json", "catboost")(
    lambda: catboost_case("catboost classifier, json", "CatBoostClassifier", labels, format="json")
)


@case("sklearn logistic regression, skops", "skops")
def sklearn_skops() -> FlavorCase:
    from sklearn.linear_model import LogisticRegression

    train = rows(80)
    fitted = LogisticRegression().fit(train, labels(train))
    return flavored(
        "sklearn logistic regression, skops",
        fitted,
        fitted.predict,
        rows(9, 1),
        answer=lambda model, given: model.predict(given),
        library=("sklearn", "skops", "pyspark"),
        options={"serialization_format": "skops"},
    )


# --- statistics


def statsmodels_case(name: str, fitted: Any, **options: Any) -> FlavorCase:
    return flavored(
        name,
        fitted,
        fitted.predict,
        rows(9, 1),
        answer=lambda model, given: model.predict(given),
        library=("statsmodels", "pyspark"),
        options=options,
    )


@case("statsmodels OLS", "statsmodels")
def statsmodels_ols() -> FlavorCase:
    import statsmodels.api

    train = rows(80)
    return statsmodels_case("statsmodels OLS", statsmodels.api.OLS(targets(train), train).fit())


@case("statsmodels formula, data removed", "statsmodels")
def statsmodels_formula() -> FlavorCase:
    import statsmodels.formula.api

    train = rows(80).assign(y=targets(rows(80)) > 0).astype({"y": "int64"})
    fitted = statsmodels.formula.api.glm("y ~ a + Q('c d')", train).fit()
    return statsmodels_case("statsmodels formula, data removed", fitted, remove_data=True)


# --- networks: tables and tensors


def onnx_graph(inputs: list[tuple[str, list[Any]]], nodes: list[Any], outputs: list[tuple[str, list[Any]]]) -> Any:
    from onnx import TensorProto, helper

    def values(pairs: list[tuple[str, list[Any]]]) -> list[Any]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in pairs]

    weights = np.array([[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]], "float32")
    constant = helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel())
    graph = helper.make_graph(nodes, "contract", values(inputs), values(outputs), [constant])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _session_of(model: Any) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def _onnx_linear() -> Any:
    from onnx import helper

    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["scores"]),
        helper.make_node("ReduceSum", ["scores"], ["total"], keepdims=0, noop_with_empty_axes=1),
        helper.make_node("ReduceMax", ["scores"], ["best"], axes=[1], keepdims=1),
    ]
    return onnx_graph([("x", ["n", 3])], [nodes[0], nodes[2]], [("scores", ["n", 2]), ("best", ["n", 1])])


@case("onnx of a table, two outputs", "onnxruntime")
def onnx_table() -> FlavorCase:
    model = _onnx_linear()

    def oracle(given: pd.DataFrame) -> pd.DataFrame:
        scores, best = _session_of(model).run(None, {"x": given.to_numpy("float32")})
        return pd.DataFrame({"scores": scores.tolist(), "best": best[:, 0]})

    outputs = Schema([ColSpec("string", "scores"), ColSpec("float", "best")])
    inputs = infer_signature(rows(9, 1)).inputs
    return flavored(
        "onnx of a table, two outputs",
        model,
        oracle,
        rows(9, 1),
        signature=ModelSignature(inputs, outputs),
        answer=lambda loaded, given: pd.DataFrame(
            {
                "scores": _session_of(loaded).run(["scores"], {"x": given.to_numpy("float32")})[0].tolist(),
                "best": _session_of(loaded).run(["best"], {"x": given.to_numpy("float32")})[0][:, 0],
            }
        ),
        library=("onnx", "onnxruntime", "pyspark"),
    )


@case("onnx of a tensor", "onnxruntime")
def onnx_tensor() -> FlavorCase:
    model = _onnx_linear()

    def scored(loaded: Any, given: Any) -> Any:
        scores, best = _session_of(loaded).run(None, {"x": given})
        return {"scores": scores, "best": best}

    return flavored(
        "onnx of a tensor",
        model,
        lambda given: scored(model, given),
        rows(9, 1).to_numpy("float32"),
        signature=ModelSignature(
            tensors((None, "float32", (-1, 3))),
            tensors(("scores", "float32", (-1, 2)), ("best", "float32", (-1, 1))),
        ),
        answer=scored,
        library=("onnx", "onnxruntime", "pyspark"),
    )


@case("onnx of named tensors", "onnxruntime")
def onnx_named() -> FlavorCase:
    from onnx import helper

    nodes = [
        helper.make_node("MatMul", ["left", "weights"], ["product"]),
        helper.make_node("Add", ["product", "right"], ["sum"]),
    ]
    model = onnx_graph([("left", ["n", 3]), ("right", ["n", 2])], nodes, [("sum", ["n", 2])])

    def scored(loaded: Any, given: Any) -> Any:
        return {"sum": _session_of(loaded).run(None, given)[0]}

    data = {"left": rows(9, 1).to_numpy("float32"), "right": rows(9, 2).to_numpy("float32")[:, :2].copy()}
    return flavored(
        "onnx of named tensors",
        model,
        lambda given: scored(model, given),
        data,
        signature=ModelSignature(
            tensors(("left", "float32", (-1, 3)), ("right", "float32", (-1, 2))),
            tensors(("sum", "float32", (-1, 2))),
        ),
        answer=scored,
        library=("onnx", "onnxruntime", "pyspark"),
    )


def torch_frames(module: Any, given: pd.DataFrame) -> pd.DataFrame:
    import torch

    with torch.no_grad():
        return pd.DataFrame(module(torch.from_numpy(given.to_numpy("float32"))).numpy())


def torch_arrays(module: Any, given: Any) -> Any:
    import torch

    with torch.no_grad():
        return module(torch.from_numpy(given)).numpy()


def torch_layers() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(4, 2))


def torch_table(name: str, module: Any, **options: Any) -> FlavorCase:
    reference = module.eval()
    return flavored(
        name,
        module,
        lambda given: torch_frames(reference, given),
        rows(9, 1),
        answer=torch_frames,
        library=("torch", "pyspark"),
        options=options,
        signature=ModelSignature(infer_signature(rows(9, 1)).inputs, Schema([ColSpec("float"), ColSpec("float")])),
    )


case("pytorch table, pickle", "torch")(lambda: torch_table("pytorch table, pickle", torch_layers()))


@case("pytorch table, torchscript", "torch")
def torch_script() -> FlavorCase:
    return torch_table("pytorch table, torchscript", torch_layers(), serialization_format="torchscript")


@case("pytorch table, safetensors", "torch")
def torch_safetensors() -> FlavorCase:
    import torch

    sys.path.insert(0, str(CARRIED))
    import contract_net

    torch.manual_seed(0)
    name = "pytorch table, safetensors"
    case = torch_table(name, contract_net.Net(4), serialization_format="safetensors", model_kwargs={"width": 4})
    inner = case.save

    def save(path: Path, code_paths: Any = (), **arguments: Any) -> None:
        inner(path, code_paths=[CARRIED / "contract_net.py", *code_paths], **arguments)

    return FlavorCase(name, save, case.oracle, case.data, case.signature, case.native, case.library)


def torch_image(name: str, **options: Any) -> FlavorCase:
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8, 3))
    reference = module.eval()
    images = np.random.default_rng(0).random((9, 1, 4, 4)).astype("float32")
    return flavored(
        name,
        module,
        lambda given: torch_arrays(reference, given),
        images,
        signature=ModelSignature(tensors((None, "float32", (-1, 1, 4, 4))), tensors((None, "float32", (-1, 3)))),
        answer=torch_arrays,
        library=("torch", "pyspark"),
        options=options,
    )


case("pytorch image", "torch")(lambda: torch_image("pytorch image"))


@case("pytorch image, pt2", "torch")
def torch_pt2() -> FlavorCase:
    found = torch_image("pytorch image, pt2", serialization_format="pt2")
    example = found.data[:3]
    inner = found.save

    def save(path: Path, input_example: Any = example, **arguments: Any) -> None:
        inner(path, input_example=input_example, **arguments)

    return FlavorCase(found.name, save, found.oracle, found.data, found.signature, found.native, found.library)


def keras_model(inputs: tuple[int, ...]) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.Input(inputs), keras.layers.Flatten(), keras.layers.Dense(4, "relu"), keras.layers.Dense(2)]
    return keras.Sequential(layers)


def keras_frames(model: Any, given: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(model.predict(given.to_numpy(), verbose=0))


def keras_table(name: str, **options: Any) -> FlavorCase:
    model = keras_model((3,))
    return flavored(
        name,
        model,
        lambda given: keras_frames(model, given),
        rows(9, 1),
        answer=keras_frames,
        library=("keras", "tensorflow", "pyspark"),
        options=options,
        signature=ModelSignature(infer_signature(rows(9, 1)).inputs, Schema([ColSpec("float"), ColSpec("float")])),
    )


case("keras table, h5", "keras")(lambda: keras_table("keras table, h5"))
case("keras table, keras", "keras")(lambda: keras_table("keras table, keras", save_format="keras"))


@case("keras image, keras", "keras")
def keras_image() -> FlavorCase:
    model = keras_model((4, 4, 1))
    images = np.random.default_rng(0).random((9, 4, 4, 1)).astype("float32")
    return flavored(
        "keras image, keras",
        model,
        lambda given: model.predict(given, verbose=0),
        images,
        signature=ModelSignature(tensors((None, "float32", (-1, 4, 4, 1))), tensors((None, "float32", (-1, 2)))),
        answer=lambda loaded, given: loaded.predict(given, verbose=0),
        library=("keras", "tensorflow", "pyspark"),
        options={"save_format": "keras"},
    )


@case("tensorflow SavedModel", "tensorflow")
def tensorflow_saved_model() -> FlavorCase:
    import tensorflow as tf

    from spark_models import tensorflow as flavor

    class Product(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(np.array([[1.0, -1.0], [0.5, 2.0]], "float32"))

        @tf.function(
            input_signature=[tf.TensorSpec((None, 2), tf.float32, "left"), tf.TensorSpec((None,), tf.float32, "right")]
        )
        def scores(self, left: Any, right: Any) -> Any:
            product = left @ self.weights
            return {"product": product, "sum": tf.reduce_sum(product, axis=1) + right}

    module = Product()
    folder = Path(tempfile.mkdtemp(), "saved")
    tf.saved_model.save(module, str(folder), signatures={"scores": module.scores})
    data = {"left": rows(9, 1).to_numpy("float32")[:, :2].copy(), "right": rows(9, 2)["a"].to_numpy("float32")}

    def oracle(given: Any) -> Any:
        found = module.scores(tf.constant(given["left"]), tf.constant(given["right"]))
        return {name: found[name].numpy() for name in ("product", "sum")}

    def save(path: Path, **arguments: Any) -> None:
        flavor.save_model(path=path, tf_saved_model_dir=folder, tf_signature_def_key="scores", **arguments)

    def native(path: Path, given: Any) -> Any:
        found = flavor.load_model(path)(**{name: tf.constant(values) for name, values in given.items()})
        return {name: found[name].numpy() for name in ("product", "sum")}

    signature = ModelSignature(
        tensors(("left", "float32", (-1, 2)), ("right", "float32", (-1,))),
        tensors(("product", "float32", (-1, 2)), ("sum", "float32", (-1,))),
    )
    return FlavorCase(
        "tensorflow SavedModel", save, oracle, data, signature, native=native, library=("tensorflow", "pyspark")
    )


@case("tensorflow module", "tensorflow")
def tensorflow_module() -> FlavorCase:
    import tensorflow as tf

    class Doubles(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
        def __call__(self, values: Any) -> Any:
            return values * 2

    module = Doubles()

    def scored(loaded: Any, given: Any) -> Any:
        return loaded(tf.constant(given)).numpy()

    return flavored(
        "tensorflow module",
        module,
        lambda given: scored(module, given),
        rows(9, 1).to_numpy("float32"),
        signature=ModelSignature(tensors((None, "float32", (-1, 3))), tensors((None, "float32", (-1, 3)))),
        answer=scored,
        library=("tensorflow", "pyspark"),
    )


@case("tensorflow Keras model", "tensorflow")
def tensorflow_keras() -> FlavorCase:
    model = keras_model((3,))

    def named(given: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"output_0": model.predict(given.to_numpy("float32"), verbose=0).tolist()})

    return flavored(
        "tensorflow Keras model",
        model,
        named,
        rows(9, 1),
        signature=ModelSignature(infer_signature(rows(9, 1)).inputs, Schema([ColSpec("string", "output_0")])),
        library=("tensorflow", "keras", "pyspark"),
    )


@case("gluon table", "mxnet")
def gluon_table() -> FlavorCase:
    net = gluon_net((1, 3))
    return flavored(
        "gluon table",
        net,
        lambda given: pd.DataFrame(gluon_arrays(net, given.to_numpy("float32"))),
        rows(9, 1),
        signature=ModelSignature(infer_signature(rows(9, 1)).inputs, Schema([ColSpec("float"), ColSpec("float")])),
        answer=lambda loaded, given: pd.DataFrame(gluon_arrays(loaded, given.to_numpy("float32"))),
        library=("mxnet", "pyspark"),
        not_for_threads="MXNet's engine is not safe under threads",
    )


@case("gluon tensor", "mxnet")
def gluon_tensor() -> FlavorCase:
    net = gluon_net((1, 3))
    return flavored(
        "gluon tensor",
        net,
        lambda given: gluon_arrays(net, given),
        rows(9, 1).to_numpy("float32"),
        signature=ModelSignature(tensors((None, "float32", (-1, 3))), tensors((None, "float32", (-1, 2)))),
        answer=gluon_arrays,
        library=("mxnet", "pyspark"),
        not_for_threads="MXNet's engine is not safe under threads",
    )


def gluon_net(shape: tuple[int, ...]) -> Any:
    import mxnet

    mxnet.random.seed(0)
    net = mxnet.gluon.nn.HybridSequential()
    net.add(mxnet.gluon.nn.Dense(4, activation="relu"), mxnet.gluon.nn.Dense(2))
    net.initialize()
    net.hybridize()
    net(mxnet.nd.ones(shape))
    return net


def gluon_arrays(net: Any, given: Any) -> Any:
    import mxnet

    return net(mxnet.nd.array(given)).asnumpy()


# --- text, tables of fastai, H2O


@case("spacy categorizer", "spacy")
def spacy_categorizer() -> FlavorCase:
    import spacy
    from spacy.training import Example

    nlp = spacy.blank("en")
    categorizer = nlp.add_pipe("textcat")
    for label in ("good", "bad"):
        categorizer.add_label(label)
    texts = {"a fine day": 1.0, "what joy": 1.0, "it rains": 0.0, "nothing works": 0.0}
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {"good": good, "bad": 1 - good}}) for text, good in texts.items()
    ]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(5):
        nlp.update(examples, sgd=optimizer)
    data = pd.DataFrame({"text": ["a fine thing", "it rains", "joy", "nothing", "", "what works", "day"]}, dtype=object)

    def scored(pipeline: Any, given: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"predictions": [pipeline(text).cats for text in given["text"]]}, dtype=object)

    return flavored(
        "spacy categorizer",
        nlp,
        lambda given: scored(nlp, given),
        data,
        signature=ModelSignature(infer_signature(data).inputs, Schema([ColSpec("string", "predictions")])),
        answer=scored,
        library=("spacy", "thinc", "pyspark"),
        not_for_threads="a pipeline's vocabulary and its layers are shared",
    )


@case("fastai table", "fastai")
def fastai_table() -> FlavorCase:
    from fastai.tabular.all import Normalize, TabularDataLoaders, tabular_learner

    train = rows(64).assign(y=targets(rows(64)))
    loaders = TabularDataLoaders.from_df(
        train, procs=[Normalize], cont_names=NAMES, y_names="y", y_block=None, bs=16, num_workers=0
    )
    learner = tabular_learner(loaders, layers=[4], n_out=1)
    with learner.no_bar(), learner.no_logging():
        learner.fit(1)

    def scored(model: Any, given: pd.DataFrame) -> pd.DataFrame:
        with model.no_bar(), model.no_logging():
            found = model.get_preds(dl=model.dls.test_dl(given.copy(), num_workers=0))[0].numpy()
        return pd.DataFrame({"predictions": list(found)})

    return flavored(
        "fastai table",
        learner,
        lambda given: scored(learner, given),
        rows(9, 1),
        signature=ModelSignature(infer_signature(rows(9, 1)).inputs, Schema([ColSpec("string", "predictions")])),
        answer=scored,
        library=("fastai", "torch", "pyspark"),
        not_for_threads="a Learner changes itself while it predicts",
    )


def h2o_case(name: str, **options: Any) -> FlavorCase:
    import h2o
    from h2o.estimators import H2OGradientBoostingEstimator

    h2o.init(verbose=False, max_mem_size="1g", nthreads=1)
    h2o.no_progress()
    train = rows(80).assign(y=targets(rows(80)))
    model = H2OGradientBoostingEstimator(ntrees=4, max_depth=3, min_rows=2, seed=1)
    model.train(x=NAMES, y="y", training_frame=h2o.H2OFrame(train))

    def scored(found: Any, given: pd.DataFrame) -> pd.DataFrame:
        return found.predict(h2o.H2OFrame(given.reset_index(drop=True))).as_data_frame(use_multi_thread=False)

    return flavored(
        name,
        model,
        lambda given: scored(model, given),
        rows(9, 1),
        answer=scored,
        library=("h2o", "pyspark"),
        options=options,
        not_for_threads="the client of H2O's server is one connection",
    )


case("h2o table, binary", "h2o")(lambda: h2o_case("h2o table, binary"))
case("h2o table, mojo", "h2o")(lambda: h2o_case("h2o table, mojo", model_format="mojo"))
