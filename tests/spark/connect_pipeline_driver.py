"""The client of the server of `test_connect_pipeline.py`: saves, loads and scores pipelines; prints JSON.

python connect_pipeline_driver.py FOLDER URL

The server can't see FOLDER, and this process not what the server writes.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.ml.feature import RFormula
from pyspark.sql import SparkSession

import spark_models
import spark_models.mleap
import spark_models.spark
from spark_models.errors import SparkModelsError
from spark_models.models import Model

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
from pipelines import feature_stages, mode_stages, predictor_stages, training_rows

ALLOW = "spark.sql.artifact.copyFromLocalToFs.allowDestLocal"
LABELLED = ["a", "b", "s"]


class Client:
    """A Connect session, and a folder that its server can't see."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.session = SparkSession.builder.remote(url).getOrCreate()
        self.rows = training_rows()
        self.sample = self.session.createDataFrame(self.rows)

    def fitted(self, stages: list[Any]) -> Any:
        from pyspark.ml import Pipeline

        return Pipeline(stages=stages).fit(self.sample)

    def classifier(self) -> Any:
        from pyspark.ml.classification import LogisticRegression
        from pyspark.ml.feature import StringIndexer, VectorAssembler

        stages = [
            StringIndexer(inputCol="s", outputCol="si", handleInvalid="keep"),
            VectorAssembler(inputCols=["a", "b", "si"], outputCol="features"),
            LogisticRegression(labelCol="y2"),
        ]
        return self.fitted(stages)


def separate(client: Client) -> Any:
    """Whether the server can read a file of the client's folder."""
    file = client.folder / "seen.txt"
    file.write_text("seen\n")
    try:
        return client.session.read.text(file.as_uri()).count()
    except Exception as error:  # noqa: BLE001 - its kind is what is looked at
        return "PATH_NOT_FOUND" in str(error)


def saved(client: Client) -> Any:
    """A package of all three flavors, saved here though Spark writes there; loaded where the server takes files."""
    model = client.classifier()
    path = client.folder / "classifier"
    example = client.rows[LABELLED].head(5)
    signature = spark_models.infer_signature(example, pd.DataFrame({"prediction": [1.0]}))
    spark_models.spark.save_model(
        model, path, signature=signature, input_example=example, sample_input=client.sample.select(*LABELLED)
    )
    seen: dict[str, Any] = {
        "flavors": sorted(Model.load(str(path)).flavors),
        "files": sorted({item.relative_to(path).parts[0] for item in path.rglob("*") if item.is_file()}),
        "stages": len(list((path / "sparkml" / "stages").iterdir())),
    }
    seen["stored"] = np.ravel(Model.load(str(path)).load_example_predictions(path)).tolist()
    expected = [row.prediction for row in model.transform(client.session.createDataFrame(example)).collect()]
    seen["expected"] = expected
    try:
        spark_models.spark.load_model(path)
        seen["refused"] = ""
    except SparkModelsError as error:
        seen["refused"] = str(error)
    client.session.conf.set(ALLOW, "true")
    frame = client.session.createDataFrame(example)
    native = spark_models.spark.load_model(path).transform(frame).collect()
    seen["native"] = [row.prediction for row in native]
    seen["pyfunc"] = np.ravel(spark_models.load_model(str(path)).predict(example)).tolist()
    seen["score"] = [row.prediction for row in spark_models.score(frame, str(path)).collect()]
    client.session.conf.set(ALLOW, "false")
    return seen


def given_folder(client: Client) -> Any:
    """The same through a folder of the server that the caller names."""
    path = client.folder / "named"
    spark_models.spark.save_model(client.classifier(), path, dfs_tmpdir="/tmp/spark-models/named")
    return sorted(item.name for item in (path / "sparkml").iterdir())


def bundles(client: Client) -> Any:
    """Bundles of every group of stages, as the JVM's tests read them."""
    formula = [stage for stage in mode_stages()["handleInvalid keep"] if isinstance(stage, RFormula)]
    groups = {**feature_stages(), **predictor_stages(), "formula": formula}
    seen = {}
    for name in ("vectors", "columns", "words", "trees", "clusters", "formula"):
        try:
            spark_models.mleap.save_model(
                spark_model=client.fitted(groups[name]),
                sample_input=client.sample,
                path=client.folder / name,
                verify="--verify" in sys.argv,
            )
            seen[name] = "saved"
        except Exception as error:  # noqa: BLE001 - its text is what is looked at
            seen[name] = f"{type(error).__name__}: {error}"
    return seen


SCENARIOS: tuple[Callable[[Client], Any], ...] = (separate, saved, given_folder, bundles)


def main(folder: str, url: str) -> None:
    warnings.simplefilter("ignore")
    client = Client(Path(folder), url)
    seen = {scenario.__name__: scenario(client) for scenario in SCENARIOS}
    client.session.stop()
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
