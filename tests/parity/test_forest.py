"""A large forest as a bundle: a hundred trees of depth ten are written, and the JVM answers as Spark does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models.mleap

sys.path.insert(0, str(Path(__file__).parent))
from jvm_parity import Jvm, conflicts, needs_jar

pytestmark = [pytest.mark.spark, pytest.mark.slow, needs_jar]

ROWS = 2000
COLUMNS = [f"x{at}" for at in range(8)]


@pytest.mark.filterwarnings("ignore:Some rows get other answers")
def test_a_hundred_trees_of_depth_ten(spark: Any, tmp_path: Path) -> None:
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import RandomForestClassifier
    from pyspark.ml.feature import VectorAssembler

    random = np.random.default_rng(2)
    frame = pd.DataFrame(random.normal(size=(ROWS, len(COLUMNS))), columns=COLUMNS)
    frame["label"] = (frame["x0"] * frame["x1"] + random.normal(size=ROWS) > 0).astype(float)
    sample = spark.createDataFrame(frame)
    stages = [
        VectorAssembler(inputCols=COLUMNS, outputCol="features"),
        RandomForestClassifier(numTrees=100, maxDepth=10, seed=1),
    ]
    model = Pipeline(stages=stages).fit(sample)
    forest = model.stages[-1]
    assert max(tree.depth for tree in forest.trees) == 10
    spark_models.mleap.save_model(spark_model=model, sample_input=sample, path=tmp_path / "m")
    root = tmp_path / "m" / "mleap" / "model" / "root" / f"{forest.uid}.node"
    written = sum(len(file.read_text().splitlines()) for file in root.glob("tree*/tree.json"))
    assert written == forest.totalNumNodes > 20_000

    rows = sample.limit(300).collect()
    made = ["rawPrediction", "probability", "prediction"]
    expected = model.transform(spark.createDataFrame(rows, sample.schema)).select(*made).collect()
    jvm = Jvm()
    answer = jvm.score(tmp_path / "m", COLUMNS, [[row[name] for name in COLUMNS] for row in rows], made)
    jvm.close()
    assert answer.errors == {}
    assert conflicts(made, expected, answer.rows) == []
