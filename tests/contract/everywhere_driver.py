"""The driver of a job on a cluster: scores packages by spark_udf, and writes each one's answers beside it.

    python everywhere_driver.py MASTER FOLDER

FOLDER/NUMBER holds `model`, `data` (pickled rows) and `type` (the result type); `answer` is written, or `error`.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

from standalone import driver_session

from spark_models.models import Model
from spark_models.pyfunc import spark_udf
from spark_models.verify.example import ROW, spark_example

PARTITIONS = 3


def answers(spark: Any, folder: Path) -> list[Any]:
    """The predictions in the order of the rows, each in Python's own values."""
    data = pickle.loads((folder / "data").read_bytes())
    frame = spark_example(spark, data, Model.load(folder / "model").signature.inputs)
    inputs = [name for name in frame.columns if name != ROW]
    udf = spark_udf(spark, str(folder / "model"), (folder / "type").read_text())
    scored = frame.repartition(PARTITIONS).select(ROW, udf(*inputs)).collect()
    return [row[1].asDict() if hasattr(row[1], "asDict") else row[1] for row in sorted(scored, key=lambda row: row[0])]


def main(master: str, folder: str) -> None:
    # Two batches a partition: a model sees no more rows at once than Spark gives it.
    spark = driver_session(master, **{"spark.sql.execution.arrow.maxRecordsPerBatch": "2"})
    for case in sorted(Path(folder).iterdir()):
        try:
            (case / "answer").write_bytes(pickle.dumps(answers(spark, case)))
        except Exception as error:  # noqa: BLE001 - the test of this case fails with it
            (case / "error").write_text(str(error))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
