"""The files a stage saves: through Spark, so that they are found on a server too."""

from __future__ import annotations

import uuid
from typing import Any


class SavedStages:
    """Saves each stage once under a folder that Spark can write, and reads what it saved."""

    def __init__(self, spark: Any, folder: str) -> None:
        self.spark = spark
        self.folder = folder
        self._paths: dict[str, str] = {}

    def read(self, stage: Any, part: str = "data") -> list[Any]:
        """The rows that the stage saved under `part`."""
        if stage.uid not in self._paths:
            path = f"{self.folder}/{uuid.uuid4().hex}"
            stage.write().save(path)
            self._paths[stage.uid] = path
        rows: list[Any] = self.spark.read.parquet(f"{self._paths[stage.uid]}/{part}").collect()
        return rows
