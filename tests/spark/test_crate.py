"""A package with an R function alone on Spark: one R process beside each Python worker."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

import spark_models
from spark_models.models import Model, ModelSignature
from spark_models.types.schema import ColSpec, Schema

pytestmark = pytest.mark.needs("r")

FUNCTION = "function(d) ifelse(is.na(d$x), -1, d$x * nchar(d$word))"


@pytest.fixture(scope="module")
def crate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("crate") / "length"
    root.mkdir()
    saved = f"saveRDS(serialize({FUNCTION}, NULL), commandArgs(TRUE)[[1]])"
    subprocess.run(["Rscript", "-e", saved, str(root / "crate.bin")], check=True)
    model = Model(signature=ModelSignature(Schema([ColSpec("double", "x"), ColSpec("string", "word")])))
    model.add_flavor("crate", version="0.1.0", model="crate.bin")
    model.save(root / "MLmodel")
    return root


def test_its_scores_are_those_of_r(spark: Any, crate: Path) -> None:
    rows = [(float(at) if at % 7 else None, "wörter"[: at % 6]) for at in range(100)]
    frame = spark.createDataFrame(rows, "x double, word string").repartition(3)
    scored = frame.withColumn("score", spark_models.pyfunc.spark_udf(spark, str(crate))()).collect()
    found = sorted((row.x is not None, row.x or 0, row.word, row.score) for row in scored)
    expected = [(x is not None, x or 0, word, -1.0 if x is None else x * len(word)) for x, word in rows]
    assert found == sorted(expected)


def test_an_error_of_r_fails_the_job_and_says_so(spark: Any, tmp_path: Path, crate: Path) -> None:
    saved = "saveRDS(serialize(function(d) stop('no rows please'), NULL), commandArgs(TRUE)[[1]])"
    for name in ("MLmodel", "crate.bin"):
        (tmp_path / name).write_bytes((crate / name).read_bytes())
    subprocess.run(["Rscript", "-e", saved, str(tmp_path / "crate.bin")], check=True)
    frame = spark.createDataFrame([(1.0, "a")], "x double, word string")
    with pytest.raises(Exception, match="RError"):
        frame.withColumn("score", spark_models.pyfunc.spark_udf(spark, str(tmp_path))()).collect()
