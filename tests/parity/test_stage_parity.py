"""Every stage alone, on rows that are hostile to it: missing, not finite, unseen and extreme values.

Each stage of the pipelines in `pipelines.py`, with what it needs before it, scores 200 rows in Spark and in the JVM and
as many more rows as there are special values of its columns. For each special value there are four outcomes: the same
answer, or none on both sides; `refused`, Spark answers and the JVM does not; `lenient`, the JVM answers where Spark
raises or drops the row; `other`, two answers. Whatever is not the same stands in `DIFFERENCES`, and in docs/bundle.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyspark
import pytest

import spark_models.mleap
from spark_models.models import ModelSignature
from spark_models.types.schema import ColSpec, Schema

sys.path.insert(0, str(Path(__file__).parent))
from jvm_parity import Jvm, needs_jar, plain, same
from pipelines import closures, stage_groups, training_rows, typed_stages

pytestmark = [pytest.mark.spark, pytest.mark.slow, needs_jar]

NAN = float("nan")
INF = float("inf")
SPECIAL: dict[str, dict[str, list[Any]]] = {
    "double": {
        "null": [None],
        "NaN": [NAN],
        "infinite": [INF, -INF],
        "extreme": [1e308, -1e308],
        "tiny": [5e-324, -0.0, 0.0],
        "large": [1e9, -1e9, 123456.789],
    },
    "bigint": {"null": [None], "unseen": [-1, 999, 2**31 - 1]},
    "tinyint": {"null": [None], "unseen": [-1, 99, 127, -128]},
    "smallint": {"null": [None], "unseen": [-1, 999, 2**15 - 1]},
    "int": {"null": [None], "unseen": [-1, 999, 2**31 - 1]},
    "float": {
        "null": [None],
        "NaN": [NAN],
        "infinite": [INF, -INF],
        "extreme": [float(np.float32(3e38)), float(np.float32(-3e38))],
        "tiny": [float(np.float32(1e-45)), -0.0, 0.0],
        "large": [1e9, float(np.float32(123456.789))],
    },
    "decimal(10,2)": {"null": [None], "unseen": [Decimal("-1.00"), Decimal("0.01"), Decimal("12345678.90")]},
    "string": {"null": [None], "empty": ["", " "], "unseen": ["unseen", "ÜNÏ 日本 🎉", "A,b;c\td  e"]},
}
"""Values that a column of each type may hold."""
GROUPS = [
    *("scalers", "vectors", "selectors", "columns", "categories", "words", "linear", "bayes", "trees", "clusters"),
    *("recommendation", "one_vs_rest", "inner", "parameters"),
    *("one_vs_rest multinomial", "one_vs_rest forest", "one_vs_rest boosted"),
    *("handleInvalid error", "handleInvalid skip", "handleInvalid keep"),
]
EVERYWHERE = {f"null {kind}: refused" for kind in SPECIAL}
"""The companion refuses a null that no stage looks at, whatever Spark makes of it."""
NAN_LENIENT = {"NaN: lenient"}
"""After a VectorAssembler whose handleInvalid is not 'keep'."""
NO_INDEX = {f"{label}: refused" for label in ("NaN", "infinite", "extreme", "tiny", "large")}
"""Numbers that are no index of a category."""
DIFFERENCES: dict[str, dict[str, set[str]]] = {
    "linear": {"LogisticRegressionModel": {"infinite: other", "extreme: other"}},
    "bayes": {"NaiveBayesModel": {"NaN: lenient", "infinite: lenient", "extreme: lenient", "large: lenient"}},
    "clusters": {"KMeansModel": {"NaN: lenient"}},
    "categories": {
        "OneHotEncoderModel": NO_INDEX,
        "VectorAssembler": NAN_LENIENT,
    },
    **{
        group: dict.fromkeys(names.split(), NAN_LENIENT)
        for group, names in {
            "scalers": "VectorAssembler StandardScalerModel MinMaxScalerModel MaxAbsScalerModel RobustScalerModel "
            "Normalizer",
            "vectors": "VectorAssembler DCT PCAModel PolynomialExpansion VectorSlicer ElementwiseProduct Binarizer "
            "BucketedRandomProjectionLSHModel VectorIndexerModel VarianceThresholdSelectorModel",
            "selectors": "VectorAssembler VectorSizeHint UnivariateFeatureSelectorModel ChiSqSelectorModel",
        }.items()
    },
    "one_vs_rest": {"OneVsRestModel": {"extreme: other", "large: other"}},
    "one_vs_rest multinomial": {"OneVsRestModel": {"extreme: other", "large: other"}},
    "parameters": {"ImputerModel": {"NaN: other"}, "ALSModel": {"unseen: lenient"}},
    "handleInvalid error": {
        **dict.fromkeys(("VectorAssembler", "VectorIndexerModel", "RFormulaModel"), NAN_LENIENT),
        "OneHotEncoderModel": {"tiny: refused"},
    },
    "handleInvalid skip": dict.fromkeys(("VectorAssembler", "VectorIndexerModel", "RFormulaModel"), NAN_LENIENT),
    "handleInvalid keep": {"OneHotEncoderModel": NO_INDEX},
}
SINCE_SPARK_4_2: dict[str, dict[str, set[str]]] = {
    "categories": {"IndexToString": NAN_LENIENT},
    "one_vs_rest": {"OneVsRestModel": {"NaN: other"}},
    "one_vs_rest multinomial": {"OneVsRestModel": {"NaN: other", "infinite: other"}},
    "parameters": {"IndexToString": NAN_LENIENT},
    "float": {"IndexToString": NAN_LENIENT},
    "double": {"IndexToString": NAN_LENIENT},
}
"""What differs there too, by group or by type of the column."""
TYPED_DIFFERENCES: dict[str, dict[str, set[str]]] = {
    "decimal(10,2)": {"OneHotEncoderModel": {"unseen: refused"}},
    **{kind: {"OneHotEncoderModel": NO_INDEX} for kind in ("float", "double")},
}
"""By type of the column."""
SIGNATURE = ModelSignature(
    Schema(
        [
            *(ColSpec("double", name) for name in ("a", "b", "c", "d", "gap", "y", "y2", "y3", "pos", "censor")),
            *(ColSpec("string", name) for name in ("s", "t")),
            *(ColSpec("long", name) for name in ("user", "item")),
        ]
    )
)
SCORED = 200
"""Rows as those of the fit."""
FLOATS = ("ALSModel",)
"""Stages that answer in floats."""


@pytest.fixture(scope="module")
def jvm() -> Iterator[Jvm]:
    process = Jvm()
    yield process
    process.close()


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return training_rows()


ELSEWHERE = {"LocalLDAModel", "MinHashLSHModel"}
"""Of test_bundle_parity.py: one answers at random, the other is refused but for few coefficients."""


def test_every_class_that_is_written_is_in_a_group(spark: Any) -> None:
    from spark_models.bundle.stages import STAGES

    assert set(GROUPS) == set(stage_groups())
    names = {type(stage).__name__ for stages in stage_groups().values() for stage in stages}
    fitted = {name + "Model" for name in names}
    fitted |= {name.replace("Classifier", "ClassificationModel") for name in names}
    fitted |= {name.replace("Regressor", "RegressionModel") for name in names}
    assert set(STAGES) - names - fitted == ELSEWHERE


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
@pytest.mark.parametrize("name", GROUPS)
def test_each_stage(spark: Any, jvm: Jvm, rows: pd.DataFrame, tmp_path: Path, name: str) -> None:
    from pyspark.ml import Pipeline, PipelineModel

    sample = spark.createDataFrame(rows)
    # As Spark has saved it: a fitted one holds the session by its training summaries, and Spark 4.0 can't send a
    # session to its tasks once somebody has observed a frame.
    Pipeline(stages=stage_groups()[name]).fit(sample).write().save(str(tmp_path / "fitted"))
    stages = PipelineModel.load(str(tmp_path / "fitted")).stages
    found: dict[str, set[str]] = {}
    for at, stage in enumerate(stages):
        model = PipelineModel(closures(stages, at))
        package = tmp_path / str(at)
        # Without a signature the JVM would not take numbers where a StringIndexer takes text.
        spark_models.mleap.save_model(
            spark_model=model, sample_input=sample.limit(5), path=package, signature=SIGNATURE
        )
        differences = scored_twice(spark, jvm, rows, sample, model, stage, package) - EVERYWHERE
        if differences != set():
            found[type(stage).__name__] = found.get(type(stage).__name__, set()) | differences
    known = {kind: set(differences) for kind, differences in DIFFERENCES.get(name, {}).items()}
    assert found == known | since_spark_4_2(name, known)


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
@pytest.mark.parametrize("kind", ["tinyint", "smallint", "int", "bigint", "float", "double", "decimal(10,2)"])
def test_each_type_of_numbers(spark: Any, jvm: Jvm, rows: pd.DataFrame, tmp_path: Path, kind: str) -> None:
    from pyspark.ml import Pipeline, PipelineModel

    frame = rows[["a", "item"]].rename(columns={"item": "i"}).assign(n=rows["item"].where(rows["gap"].notna()))
    values = np.float32 if kind == "float" else Decimal if kind.startswith("decimal") else float
    whole = kind.endswith("int")
    data = [
        [a, *(None if pd.isna(item) else int(item) if whole else values(item) for item in (i, n))]
        for a, i, n in frame.itertuples(index=False)
    ]
    data = [[item.item() if isinstance(item, np.generic) else item for item in row] for row in data]
    sample = spark.createDataFrame(data, f"a double, i {kind}, n {kind}")
    every = pd.DataFrame(data, columns=["a", "i", "n"], dtype=object)
    whole = pd.concat([every[every["n"].notna()]] * 2, ignore_index=True)
    found: dict[str, set[str]] = {}
    for at, stage in enumerate(typed_stages(kind)):
        # Only an Imputer can be fitted on nulls, or looks at them.
        imputes = type(stage).__name__ == "Imputer"
        given = sample if imputes else sample.where("n is not null")
        fitted = Pipeline(stages=[stage]).fit(given)
        fitted.write().save(str(tmp_path / f"fitted{at}"))
        model = PipelineModel.load(str(tmp_path / f"fitted{at}"))
        package = tmp_path / str(at)
        spark_models.mleap.save_model(spark_model=model, sample_input=given.limit(5), path=package)
        differences = (
            scored_twice(spark, jvm, every if imputes else whole, sample, model, model.stages[0], package) - EVERYWHERE
        )
        if differences != set():
            found[type(model.stages[0]).__name__] = found.get(type(model.stages[0]).__name__, set()) | differences
    known = TYPED_DIFFERENCES.get(kind, {})
    assert found == known | since_spark_4_2(kind, known)


def since_spark_4_2(name: str, known: dict[str, set[str]]) -> dict[str, set[str]]:
    """The known differences of stages that have more of them on this Spark."""
    if tuple(map(int, pyspark.__version__.split(".")[:2])) < (4, 2):
        return {}
    return {stage: known.get(stage, set()) | more for stage, more in SINCE_SPARK_4_2.get(name, {}).items()}


def scored_twice(
    spark: Any, jvm: Jvm, rows: pd.DataFrame, sample: Any, model: Any, stage: Any, package: Path
) -> set[str]:
    """What is not the same in Spark and in the JVM, for the hostile rows of the stage's columns."""
    inputs, made = ports(package, model)
    kinds = dict(sample.dtypes)
    labels, data = hostile(rows[list(kinds)], kinds, inputs)
    expected = spark_outcomes(spark, model, kinds, data, made)
    answer = jvm.score(package, list(kinds), data, made)
    tolerance = 1e-6 if type(stage).__name__ in FLOATS else 1e-9
    found = set()
    for row, label in enumerate(labels):
        outcome = verdict(expected.get(row), None if row in answer.errors else answer.rows[row], tolerance)
        if outcome != "same":
            found.add(f"{label}: {outcome}")
    return found


def ports(package: Path, model: Any) -> tuple[list[str], list[str]]:
    """The columns that a bundle takes from outside, and those that nothing in it takes."""
    root = package / "mleap" / "model" / "root"
    taken: dict[str, None] = {}
    made: dict[str, None] = {}
    for name in json.loads((root / "model.json").read_text())["attributes"]["nodes"]["string"]:
        shape = json.loads((root / f"{name}.node" / "node.json").read_text())["shape"]
        taken |= dict.fromkeys(port["name"] for port in shape["inputs"])
        made |= dict.fromkeys(port["name"] for port in shape["outputs"])
    return [name for name in taken if name not in made], [name for name in made if name not in taken]


def hostile(rows: pd.DataFrame, kinds: dict[str, str], inputs: list[str]) -> tuple[list[str], list[list[Any]]]:
    """Rows as those of the fit, then each special value of each input in one of them; and what each row is."""
    data: list[list[Any]] = rows.head(SCORED).astype(object).where(rows.notna(), None).to_numpy().tolist()
    labels = ["as fitted"] * len(data)
    for name in inputs:
        for special, values in SPECIAL[kinds[name]].items():
            for value in values:
                base = list(data[len(labels) % 50])
                base[list(kinds).index(name)] = value
                data.append(base)
                labels.append(f"{special} {kinds[name]}" if special == "null" else special)
    return labels, data


def spark_outcomes(
    spark: Any, model: Any, kinds: dict[str, str], data: list[list[Any]], outputs: list[str]
) -> dict[int, list[Any]]:
    """Spark's outputs by row; a row that it drops, or raises for, has none."""
    schema = ", ".join(f"`{name}` {kind}" for name, kind in kinds.items()) + ", _row int"
    # Held in Spark: the rows of an attempt would otherwise go through Python's workers, which end with each that fails.
    whole = spark.createDataFrame([(*values, row) for row, values in enumerate(data)], schema).coalesce(1).cache()
    whole.count()

    def attempt(rows: range) -> dict[int, list[Any]]:
        frame = whole.where(whole["_row"].between(rows.start, rows.stop - 1))
        try:
            found = model.transform(frame).select("_row", *outputs).collect()
        except Exception:  # noqa: BLE001 - whatever the stage raises for one of the rows
            half = len(rows) // 2
            return {} if half == 0 else {**attempt(rows[:half]), **attempt(rows[half:])}
        return {row[0]: [plain(value) for value in row[1:]] for row in found}

    found = {**attempt(range(SCORED)), **attempt(range(SCORED, len(data)))}
    whole.unpersist()
    return found


def verdict(expected: list[Any] | None, given: list[Any] | None, tolerance: float) -> str:
    """What became of a row."""
    if expected is None or given is None:
        return "same" if expected is given else "lenient" if expected is None else "refused"
    return "same" if same(expected, given, tolerance) else "other"
