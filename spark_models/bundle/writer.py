"""Bundle.ML from a fitted pipeline: checked whole, then written as a directory of JSON that MLeap's runtime reads."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from spark_models.bundle.nodes import BundleModel, Node, Sample, write_json
from spark_models.bundle.saved import SavedStages
from spark_models.bundle.stages import STAGES, differs
from spark_models.bundle.values import RefusedError
from spark_models.errors import UnsupportedStagesError

MLEAP_VERSION = "0.20.0"
"""The release of mleap-runtime whose ops the bundle is written for."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found before anything is written: nodes, stages that can't be written, and where answers differ."""

    nodes: tuple[Node, ...]
    unsupported: tuple[tuple[str, str], ...]
    differences: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...] = ()

    def require(self) -> None:
        """Raises where a stage can't be written.

        Raises:
            UnsupportedStagesError: [UNSUPPORTED_STAGES] all of them are named, each with the reason.
        """
        if self.unsupported != ():
            raise UnsupportedStagesError(self.unsupported)


def preflight(model: Any, sample_input: Any, scratch: str, drop_label_stages: bool = False) -> Preflight:
    """What the bundle of a fitted pipeline would be; `scratch` is a folder that Spark can write and read.

    `sample_input` gives the columns, their types and the lengths of vectors; it is not scored but for those.
    `drop_label_stages` leaves out stages that only make a label, so that scoring needs none.
    """
    sample = Sample(model.transform(sample_input), SavedStages(sample_input.sparkSession, scratch))
    stages = flat(model)
    dropped = label_stages(stages) if drop_label_stages else ()
    nodes: list[Node] = []
    unsupported: list[tuple[str, str]] = []
    differences: list[tuple[str, str]] = []
    for stage in stages:
        if stage.uid in dropped:
            continue
        writer = STAGES.get(type(stage).__name__)
        if writer is None:
            unsupported.append((stage.uid, f"MLeap has no op for {type(stage).__name__}"))
            continue
        try:
            nodes += writer.write(stage, sample)
        except RefusedError as reason:
            unsupported.append((stage.uid, str(reason)))
        if differs(stage) != "":
            differences.append((stage.uid, differs(stage)))
    return Preflight(tuple(nodes), tuple(unsupported), tuple(differences), dropped)


def write_bundle(found: Preflight, name: str, folder: Path) -> None:
    """Writes the bundle into `folder`, which is made.

    Raises:
        UnsupportedStagesError: [UNSUPPORTED_STAGES] a stage can't be written; nothing is.
    """
    found.require()
    nodes = {"nodes": {"type": "list", "string": [node.name for node in found.nodes]}}
    root = folder / "root"
    BundleModel("pipeline", nodes).write(root)
    write_json(root / "node.json", {"name": name, "shape": {"inputs": [], "outputs": []}})
    for node in found.nodes:
        node.write(root)
    now = datetime.now(timezone.utc).replace(tzinfo=None).isoformat()
    info = {"uid": str(uuid.uuid4()), "name": name, "format": "json", "version": MLEAP_VERSION, "timestamp": now}
    write_json(folder / "bundle.json", info)


def flat(model: Any) -> list[Any]:
    """The stages of a pipeline in order, with those of inner pipelines and of tuned models in their place."""
    kind = type(model).__name__
    if kind == "PipelineModel":
        return [inner for stage in model.stages for inner in flat(stage)]
    if kind in ("CrossValidatorModel", "TrainValidationSplitModel"):
        return flat(model.bestModel)
    return [model]


def label_stages(stages: list[Any]) -> tuple[str, ...]:
    """The stages whose output is used as a label and by no other stage as an input."""
    labels = {stage.getLabelCol() for stage in stages if stage.hasParam("labelCol")}
    used = {name for stage in stages for name in _inputs(stage)}
    return tuple(stage.uid for stage in stages if (made := _outputs(stage)) and set(made) <= labels - used)


def _inputs(stage: Any) -> list[str]:
    return _named(stage, ("inputCol", "featuresCol", "userCol", "itemCol"), "inputCols")


def _outputs(stage: Any) -> list[str]:
    return _named(stage, ("outputCol",), "outputCols")


def _named(stage: Any, single: tuple[str, ...], several: str) -> list[str]:
    if stage.hasParam(several) and stage.isSet(several):
        return list(stage.getOrDefault(several))
    return [str(stage.getOrDefault(name)) for name in single if stage.hasParam(name) and stage.isDefined(name)]
