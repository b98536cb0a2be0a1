"""The driver of a job on the cluster of `test_cluster.py`: runs one scenario and prints what it saw as JSON.

    python cluster_driver.py MASTER FOLDER SCENARIO

The executors' cache is another one than the driver's, and the driver's copy of a package is moved away once its UDF is
made: the archive that Spark delivers is the only way for it to reach an executor.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark import SparkFiles
from standalone import driver_session

import spark_models
from spark_models.models import infer_signature

ROWS = 400
PARTITIONS = 20


class Noting(spark_models.pyfunc.PythonModel):
    """Adds two columns; notes each load, with the process, its executor's folder, and where the toolkit came from."""

    def __init__(self, marks: Path, shift: float) -> None:
        self.marks = str(marks)
        self.shift = shift

    def load_context(self, context: Any) -> None:
        import spark_models as toolkit

        with open(self.marks, "a") as stream:
            folder = os.path.abspath(SparkFiles.getRootDirectory())
            stream.write(json.dumps([os.getpid(), folder, os.path.abspath(toolkit.__file__)]) + "\n")

    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input["x"] + model_input["y"] + self.shift


class Driver:
    """A session on the cluster, and a folder for what it makes."""

    def __init__(self, master: str, folder: Path, executor_cache: Path) -> None:
        self.folder = folder
        self.session = driver_session(
            master,
            **{
                "spark.executorEnv.SPARK_MODELS_CACHE": str(executor_cache),
                "spark.excludeOnFailure.enabled": "false",
            },
        )

    def rows(self) -> pd.DataFrame:
        numbers = np.arange(ROWS)
        return pd.DataFrame({"x": numbers / 3, "y": numbers * 2.0})

    def table(self) -> Any:
        numbers = self.session.range(0, ROWS, 1, PARTITIONS)
        return numbers.selectExpr("id", "id / 3 as x", "cast(id * 2 as double) as y")

    def saved(self, name: str, shift: float = 0.0) -> tuple[str, Path]:
        path, marks = str(self.folder / name), self.folder / f"{name}.marks"
        rows = self.rows()
        signature = infer_signature(rows, rows["x"])
        spark_models.pyfunc.save_model(path, python_model=Noting(marks, shift), signature=signature)
        return path, marks

    def scored(self, predict: Any) -> list[float]:
        return [row[1] for row in sorted(self.table().select("id", predict().alias("p")).collect())]

    def hide_cache(self) -> None:
        """Moves the driver's copies away."""
        cache = Path(os.environ["SPARK_MODELS_CACHE"])
        cache.rename(cache.with_name(f"hidden-{len(list(cache.parent.iterdir()))}"))

    def archive(self) -> Path:
        """The package's archive that was added last, in the driver's temporary folder."""
        found = Path(os.environ["TMPDIR"]).glob("spark-models-ship-*/spark-models-*.zip")
        packages = [path for path in found if "toolkit" not in path.name]
        return max(packages, key=lambda path: path.stat().st_mtime_ns)


def answers(driver: Driver) -> dict[str, Any]:
    """A model's answers, its loads, and what the executors' cache holds."""
    path, marks = driver.saved("model", 0.25)
    local = spark_models.pyfunc.load_model(path).predict(driver.rows()).tolist()
    marks.unlink()
    predict = spark_models.pyfunc.spark_udf(driver.session, path, "double")
    driver.hide_cache()
    found = driver.scored(predict)
    again = driver.scored(predict)
    loads = [json.loads(line) for line in marks.read_text().splitlines()]
    return {"equal": found == local == again, "rows": len(found), "loads": loads}


def large(driver: Driver) -> dict[str, Any]:
    """A package that is not sent because every executor sees it, and the same one sent all the same."""
    (driver.folder / "weights").write_bytes(bytes(33 << 20))
    path, marks = str(driver.folder / "large"), driver.folder / "large.marks"
    rows = driver.rows()
    spark_models.pyfunc.save_model(
        path,
        python_model=Noting(marks, 0.125),
        artifacts={"weights": str(driver.folder / "weights")},
        signature=infer_signature(rows, rows["x"]),
    )
    local = spark_models.pyfunc.load_model(path).predict(rows).tolist()
    seen = spark_models.pyfunc.spark_udf(driver.session, path, "double")
    driver.session.conf.set("spark.sparkModels.ship", "always")
    sent = spark_models.pyfunc.spark_udf(driver.session, path, "double")
    equal = driver.scored(seen) == driver.scored(sent) == local
    return {"equal": equal, "seen": seen.scorer.package.archive, "sent": sent.scorer.package.archive}


def score(driver: Driver) -> dict[str, Any]:
    """`score` with the outputs of the signature; here the executors see the driver's copy."""
    path, _ = driver.saved("other", 0.5)
    scored = spark_models.score(driver.table(), path).orderBy("id").collect()
    local = spark_models.pyfunc.load_model(path).predict(driver.rows()).tolist()
    return {"equal": [row["prediction"] for row in scored] == local}


def _truncated(archive: Path) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])


def _flipped(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) // 3] ^= 1
    archive.write_bytes(bytes(content))


def _repacked(change: Callable[[dict[str, bytes]], None]) -> Callable[[Path], None]:
    def repack(archive: Path) -> None:
        with zipfile.ZipFile(archive) as source:
            members = {name: source.read(name) for name in source.namelist()}
        change(members)
        with zipfile.ZipFile(archive, "w") as target:
            for name, content in members.items():
                target.writestr(name, content)

    return repack


CORRUPTIONS: dict[str, Callable[[Path], None]] = {
    "truncated": _truncated,
    "flipped byte": _flipped,
    "changed file": _repacked(lambda members: members.update({"python_model.pkl": b"other"})),
    "added file": _repacked(lambda members: members.update({"sitecustomize.py": b""})),
    "other manifest": _repacked(lambda members: members.update({"manifest.sha256": b""})),
    "no manifest": _repacked(lambda members: members.pop("manifest.sha256") and None),
    "escaping member": _repacked(lambda members: members.update({"../../escaped": b"x"})),
    "no archive": lambda archive: archive.write_bytes(b"<html>not found</html>"),
}


def corrupt(driver: Driver) -> dict[str, Any]:
    """The error of each way in which an archive may arrive damaged, and whether the model was loaded."""
    found = {}
    for number, (name, change) in enumerate(CORRUPTIONS.items()):
        path, marks = driver.saved(f"corrupt-{number}", number)
        predict = spark_models.pyfunc.spark_udf(driver.session, path, "double")
        driver.hide_cache()
        change(driver.archive())
        try:
            driver.scored(predict)
            text = ""
        except Exception as error:  # noqa: BLE001 - its text is what is looked at
            text = str(error)
        found[name] = {"error": text, "loaded": marks.exists()}
    return found


SCENARIOS = {"answers": answers, "score": score, "corrupt": corrupt, "large": large}


def main(master: str, folder: str, scenarios: str) -> None:
    driver = Driver(master, Path(folder), Path(folder) / "executors")
    seen = {name: SCENARIOS[name](driver) for name in scenarios.split(",")}
    driver.session.stop()
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
