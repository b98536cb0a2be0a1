"""What the pyfunc form of a model costs over the library's own call, for each flavor: 10,000 rows of 20 doubles.

The flavors whose libraries are installed are measured, and take the place of their older figures in the results; so a
run in each environment of `scripts/environment` makes the whole table: in gluon, tensorflow, torch, and last in heavy,
for the others hold some of its libraries in older versions.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure import DOCS, machine, shown, summarize, table, write

import spark_models.pyfunc
from spark_models.flavors.registry import flavor_module
from spark_models.models import infer_signature

ROWS, COLUMNS = 10_000, 20
PAIRS = 25
LARGEST_RATIO, LARGEST_SECONDS = 1.1, 1e-3
"""A flavor is good by either: the ratio of the two calls, or what one costs over the other."""
EXAMPLES = """\
examples:
  .venv-heavy/bin/python benchmarks/flavors.py               measures what is installed there; writes docs/benchmarks
  .venv-torch/bin/python benchmarks/flavors.py --only fastai
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of both calls, taken in turns; `call` is the library's own."""

    flavor: str
    model: str
    call: str
    library: str
    python: str
    native: list[float]
    pyfunc: list[float]

    @property
    def over(self) -> float:
        """Seconds that pyfunc takes over the library's own call: the median of the pairs."""
        return statistics.median(ours - theirs for ours, theirs in zip(self.pyfunc, self.native, strict=True))

    @property
    def ratio(self) -> float:
        """The ratio of the medians."""
        return statistics.median(self.pyfunc) / statistics.median(self.native)

    @property
    def good(self) -> bool:
        """Whether it costs no more than it may."""
        return self.ratio <= LARGEST_RATIO or self.over <= LARGEST_SECONDS


@dataclass(frozen=True, slots=True)
class Case:
    """A trained model; `call` is the library's own on the rows, and `text` says which."""

    model: Any
    text: str
    call: Callable[[Any], Any]
    rows: Any = None
    options: dict[str, Any] | None = None
    pairs: int = PAIRS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the results (docs/benchmarks)")
    parser.add_argument("--only", nargs="*", default=list(MAKERS), help="flavors to measure")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    samples = []
    for flavor in arguments.only:
        library, distributions, make = MAKERS[flavor]
        if find_spec(library) is None:
            print(f"{flavor}: not measured, {library} is not installed", flush=True)
            continue
        sample = measured(flavor, distributions, make())
        samples.append(sample)
        print(f"{flavor}: {signed(sample.over)} over {shown(statistics.median(sample.native))}", flush=True)
    file = arguments.out / "flavors.json"
    kept = json.loads(file.read_text())["samples"] if file.exists() else []
    now = {sample.flavor for sample in samples}
    everything = [*samples, *(Sample(**one) for one in kept if one["flavor"] not in now)]
    everything.sort(key=lambda sample: sample.flavor)
    content = {"benchmark": "flavors", "machine": machine(), "samples": [asdict(sample) for sample in everything]}
    print(*write(arguments.out, "flavors", content, text_of(content, everything)), sep="\n")
    missed = [sample.flavor for sample in samples if not sample.good]
    if missed != []:
        sys.exit(f"over {LARGEST_RATIO}× and {shown(LARGEST_SECONDS)}: {', '.join(missed)}")


def measured(flavor: str, distributions: tuple[str, ...], case: Case) -> Sample:
    rows = doubles() if case.rows is None else case.rows
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "model")
        signature = infer_signature(rows)
        flavor_module(flavor).save_model(case.model, path, signature=signature, **(case.options or {}))
        model = spark_models.pyfunc.load_model(path)
        calls = (lambda: case.call(rows), lambda: model.predict(rows))
        seconds: tuple[list[float], list[float]] = ([], [])
        for turn in range(case.pairs + 2):
            # In changing order: what runs first finds the caches of the other.
            for which in (0, 1) if turn % 2 else (1, 0):
                start = time.perf_counter()
                calls[which]()
                if turn >= 2:
                    seconds[which].append(time.perf_counter() - start)
    return Sample(flavor, type(case.model).__name__, case.text, version(distributions), python(), *seconds)


def version(distributions: tuple[str, ...]) -> str:
    for name in distributions:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return f"{name} {metadata.version(name)}"
    return distributions[0]


def python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def text_of(content: dict[str, Any], samples: list[Sample]) -> str:
    about = content["machine"]
    rows = []
    for sample in samples:
        native, pyfunc = summarize(sample.native), summarize(sample.pyfunc)
        rows.append(
            [
                sample.flavor,
                f"{sample.library}, Python {sample.python}",
                f"`{sample.call}`",
                f"{shown(native.median)} ({shown(native.low)} – {shown(native.high)})",
                f"{shown(pyfunc.median)} ({shown(pyfunc.low)} – {shown(pyfunc.high)})",
                f"{sample.ratio:.2f}×",
                signed(sample.over),
                "yes" if sample.good else "**no**",
            ]
        )
    headers = ["flavor", "library", "its own call", "takes", "pyfunc takes", "ratio", "over", "good"]
    return (
        f"# Flavors\n\n`predict` of the pyfunc form, signature checked, beside the library's own call: {ROWS:,} rows "
        f"of {COLUMNS} doubles (spaCy: texts). Wall time, median and quartiles of calls in turns; good is a ratio of "
        f"at most {LARGEST_RATIO}, or at most {shown(LARGEST_SECONDS)} over it.\n\n"
        f"{about['cpus']} CPUs ({about['cpu']}), {about['memory_gb']} GB, {about['system']}.\n\n"
        f"{table(headers, rows)}\n"
    )


def signed(seconds: float) -> str:
    return ("−" if seconds < 0 else "") + shown(abs(seconds))


def doubles(rows: int = ROWS) -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(rows, COLUMNS))
    return pd.DataFrame(values, columns=[f"c{position}" for position in range(COLUMNS)])


def trained() -> tuple[pd.DataFrame, Any]:
    frame = doubles(2_000)
    return frame, (frame["c0"] - 2 * frame["c1"]).to_numpy()


def matrix(frame: pd.DataFrame) -> Any:
    return frame.to_numpy("float32")


def sklearn() -> Case:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(*trained())
    return Case(model, "model.predict(frame)", model.predict)


def xgboost() -> Case:
    import xgboost

    frame, target = trained()
    booster = xgboost.train({"max_depth": 4}, xgboost.DMatrix(frame, target), 20)
    return Case(booster, "booster.predict(xgboost.DMatrix(frame))", lambda rows: booster.predict(xgboost.DMatrix(rows)))


def lightgbm() -> Case:
    import lightgbm

    frame, target = trained()
    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(frame, target), 20)
    return Case(booster, "booster.predict(frame)", booster.predict)


def catboost() -> Case:
    from catboost import CatBoostRegressor

    model = CatBoostRegressor(iterations=20, verbose=False, allow_writing_files=False).fit(*trained())
    return Case(model, "model.predict(frame)", model.predict)


def statsmodels() -> Case:
    import statsmodels.api

    frame, target = trained()
    results = statsmodels.api.OLS(target, frame).fit()
    return Case(results, "results.predict(frame)", results.predict)


def onnx() -> Case:
    import onnxruntime
    from onnx import TensorProto, helper

    weights = np.random.default_rng(0).normal(size=(COLUMNS, 1)).astype("float32")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", COLUMNS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    text = 'session.run(None, {"x": frame.to_numpy("float32")})'
    return Case(model, text, lambda rows: session.run(None, {"x": matrix(rows)}))


def spacy() -> Case:
    import spacy

    pipeline = spacy.blank("en")
    words_alone = {
        "@architectures": "spacy.TextCatBOW.v3",
        "exclusive_classes": True,
        "ngram_size": 1,
        "no_output_layer": False,
    }
    categorizer = pipeline.add_pipe("textcat", config={"model": words_alone})
    for label in ("good", "bad"):
        categorizer.add_label(label)
    pipeline.initialize()
    words = np.random.default_rng(0).choice(["rain", "sun", "a", "fine", "day", "nothing", "works"], (ROWS, 5))
    texts = pd.DataFrame({"text": [" ".join(line) for line in words]}, dtype=object)

    def call(rows: pd.DataFrame) -> Any:
        return [pipeline(text).cats for text in rows["text"]]

    return Case(pipeline, '[nlp(text).cats for text in frame["text"]]', call, rows=texts, pairs=5)


def h2o() -> Case:
    import h2o
    from h2o.estimators import H2OGradientBoostingEstimator

    h2o.init(verbose=False, max_mem_size="1g")
    h2o.no_progress()
    frame, target = trained()
    model = H2OGradientBoostingEstimator(ntrees=20, max_depth=4, seed=1)
    model.train(x=list(frame.columns), y="y", training_frame=h2o.H2OFrame(frame.assign(y=target)))

    def call(rows: pd.DataFrame) -> Any:
        return model.predict(h2o.H2OFrame(rows)).as_data_frame(use_multi_thread=False)

    return Case(model, "model.predict(h2o.H2OFrame(frame)).as_data_frame()", call, pairs=9)


def pytorch() -> Case:
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(COLUMNS, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1)).eval()

    def call(rows: pd.DataFrame) -> Any:
        with torch.inference_mode():
            return module(torch.from_numpy(matrix(rows))).numpy()

    return Case(module, 'module(torch.from_numpy(frame.to_numpy("float32"))).numpy()', call)


def fastai() -> Case:
    from fastai.tabular.all import Normalize, TabularDataLoaders, tabular_learner

    frame, target = trained()
    loaders = TabularDataLoaders.from_df(
        frame.assign(y=target), procs=[Normalize], cont_names=list(frame.columns), y_names="y", num_workers=0
    )
    learner = tabular_learner(loaders, layers=[8], n_out=1)

    def call(rows: pd.DataFrame) -> Any:
        with learner.no_bar(), learner.no_logging():
            return learner.get_preds(dl=learner.dls.test_dl(rows, num_workers=0))[0].numpy()

    return Case(learner, "learner.get_preds(dl=learner.dls.test_dl(frame))[0].numpy()", call, pairs=5)


def keras() -> Case:
    import keras

    layers = [keras.Input((COLUMNS,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    text = "model.predict(frame.to_numpy(), verbose=0)"
    return Case(model, text, lambda rows: model.predict(rows.to_numpy(), verbose=0), options={"save_format": "keras"})


def tensorflow() -> Case:
    import tensorflow as tf

    class Linear(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(np.ones((COLUMNS, 1), "float32"))

        @tf.function(input_signature=[tf.TensorSpec((None, COLUMNS), tf.float32)])
        def __call__(self, values: Any) -> Any:
            return values @ self.weights

    module = Linear()
    text = 'module(tf.constant(frame.to_numpy("float32"))).numpy()'
    return Case(module, text, lambda rows: module(tf.constant(matrix(rows))).numpy())


def gluon() -> Case:
    import mxnet

    net = mxnet.gluon.nn.HybridSequential()
    net.add(mxnet.gluon.nn.Dense(32, activation="relu"), mxnet.gluon.nn.Dense(1))
    net.initialize()
    net.hybridize()
    net(mxnet.nd.ones((1, COLUMNS)))
    return Case(
        net, "net(mxnet.nd.array(frame)).asnumpy()", lambda rows: net(mxnet.nd.array(rows.to_numpy())).asnumpy()
    )


MAKERS: dict[str, tuple[str, tuple[str, ...], Callable[[], Case]]] = {
    "catboost": ("catboost", ("catboost",), catboost),
    "fastai": ("fastai", ("fastai",), fastai),
    "gluon": ("mxnet", ("mxnet",), gluon),
    "h2o": ("h2o", ("h2o",), h2o),
    "keras": ("keras", ("keras",), keras),
    "lightgbm": ("lightgbm", ("lightgbm",), lightgbm),
    "onnx": ("onnxruntime", ("onnxruntime",), onnx),
    "pytorch": ("torch", ("torch",), pytorch),
    "sklearn": ("sklearn", ("scikit-learn",), sklearn),
    "spacy": ("spacy", ("spacy",), spacy),
    "statsmodels": ("statsmodels", ("statsmodels",), statsmodels),
    "tensorflow": ("tensorflow", ("tensorflow", "tensorflow-cpu"), tensorflow),
    "xgboost": ("xgboost", ("xgboost", "xgboost-cpu"), xgboost),
}
"""The module that a flavor needs, the distributions that it may come from, and what makes its model."""


if __name__ == "__main__":
    main()
