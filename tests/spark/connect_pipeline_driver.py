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
from pyspark.sql import functions as F

import spark_models
import spark_models.mleap
import spark_models.spark
from spark_models.errors import SparkModelsError
from spark_models.models import Model

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
from jvm_parity import Jvm, conflicts
from pipelines import feature_stages, mode_stages, predictor_stages, scored_by, training_rows

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
    """Bundles of the groups of stages of test_bundle_parity.py without one-vs-rest, and of a formula.

    PySpark's own transform of a one-vs-rest that is not read back from files looks for a raw prediction that its models
    do not give.

    With `--verify` the sample is compared with the JVM at the save, and then rows with missing, unseen and extreme
    values; what differs is told.
    """
    formula = [stage for stage in mode_stages()["handleInvalid keep"] if isinstance(stage, RFormula)]
    predictors = {name: stages for name, stages in predictor_stages().items() if not name.startswith("one_vs_rest")}
    groups = {**feature_stages(), **predictors, "formula": formula}
    verify = "--verify" in sys.argv
    jvm = Jvm() if verify else None
    seen = {}
    for name, stages in groups.items():
        path = client.folder / name
        try:
            model = client.fitted(stages)
            spark_models.mleap.save_model(spark_model=model, sample_input=client.sample, path=path, verify=verify)
            differences = [] if jvm is None else compared(client, model, path, name, jvm)
            seen[name] = "; ".join(["saved", *differences])
        except Exception as error:  # noqa: BLE001 - its text is what is looked at
            seen[name] = f"{type(error).__name__}: {error}"
    if jvm is not None:
        jvm.close()
    return seen


def compared(client: Client, model: Any, path: Path, name: str, jvm: Jvm) -> list[str]:
    """Where the JVM's answers for rows with special values are not those of the server's Spark."""
    given = scored_by(name, client.rows)
    plain = given.astype(object).where(given.notna(), None).to_numpy().tolist()
    frame = client.session.createDataFrame(given.assign(_row=range(len(given))))
    # Whether what is missing in pandas is NaN or null differs between sessions.
    frame = frame.withColumn("gap", F.when(F.isnan("gap"), None).otherwise(F.col("gap")))
    scored = model.transform(frame)
    # The label of a formula is left to Spark.
    made = [column for column in scored.columns if column not in (*frame.columns, "rl")]
    expected = scored.orderBy("_row").select(*made).collect()
    answer = jvm.score(path, list(given.columns), plain, made)
    tolerance = 1e-6 if name == "recommendation" else 1e-9
    refused = [f"row {row}: {text}" for row, text in answer.errors.items()]
    return refused or conflicts(made, expected, answer.rows, tolerance)


SCENARIOS: tuple[Callable[[Client], Any], ...] = (separate, saved, given_folder, bundles)


def main(folder: str, url: str) -> None:
    warnings.simplefilter("ignore")
    client = Client(Path(folder), url)
    seen = {scenario.__name__: scenario(client) for scenario in SCENARIOS}
    client.session.stop()
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
