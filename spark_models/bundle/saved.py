"""The files a stage saves: through Spark, so that they are found on a server too."""

from __future__ import annotations

import importlib
import json
import uuid
from typing import Any

WITHOUT_EFFECT = ("VectorAttributeRewriter", "ColumnPruner")
"""Stages inside a formula that change names of features and drop columns, but no value."""


class SavedStages:
    """Saves each stage once under a folder that Spark can write, and reads what it saved."""

    def __init__(self, spark: Any, folder: str) -> None:
        self.spark = spark
        self.folder = folder
        self._paths: dict[int, tuple[Any, str]] = {}

    def path(self, stage: Any) -> str:
        """Where the stage is saved."""
        # By the object itself: the models of a one-vs-rest have one uid, and so have the stages inside a formula.
        if id(stage) not in self._paths:
            path = f"{self.folder}/{uuid.uuid4().hex}"
            stage.write().save(path)
            self._paths[id(stage)] = (stage, path)
        return self._paths[id(stage)][1]

    def read(self, stage: Any, part: str = "data") -> list[Any]:
        """The rows that the stage saved under `part`."""
        rows: list[Any] = self.spark.read.parquet(f"{self.path(stage)}/{part}").collect()
        return rows

    def formula_stages(self, formula: Any) -> list[Any]:
        """The stages that make a formula's features, from the pipeline that an RFormulaModel saves inside itself."""
        inner = f"{self.path(formula)}/pipelineModel"
        uids = self._metadata(inner)["paramMap"]["stageUids"]
        stages = []
        for at, uid in enumerate(uids):
            folder = f"{inner}/stages/{str(at).zfill(len(str(len(uids))))}_{uid}"
            module, _, name = str(self._metadata(folder)["class"]).removeprefix("org.apache.spark.").rpartition(".")
            if name not in WITHOUT_EFFECT:
                stages.append(getattr(importlib.import_module(f"pyspark.{module}"), name).load(folder))
        return stages

    def _metadata(self, folder: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.spark.read.text(f"{folder}/metadata").first()[0])
        return found
