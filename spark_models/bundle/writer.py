"""Bundle.ML from a fitted pipeline: checked whole, then written as a directory of JSON that MLeap's runtime reads."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import reduce
from pathlib import Path
from typing import Any

from spark_models.bundle.nodes import BundleModel, Node, Sample, write_json
from spark_models.bundle.saved import SavedStages
from spark_models.bundle.stages import REFUSED, STAGES, differs
from spark_models.bundle.values import RefusedError
from spark_models.errors import InvalidArgumentError, UnsupportedStagesError, listed

TUNED = ("CrossValidatorModel", "TrainValidationSplitModel")
"""Models that hold another one, the best of those that were tried."""

INPUTS = ("inputCol", "featuresCol", "userCol", "itemCol")
"""The parameters that name a single input column."""

MLEAP_VERSION = "0.20.0"
"""The release of mleap-runtime whose ops the bundle is written for."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found before anything is written: nodes, stages that can't be written, and where answers differ.

    `stages` are those of the pipeline without the dropped ones, inner pipelines taken apart.
    """

    nodes: tuple[Node, ...]
    unsupported: tuple[tuple[str, str], ...]
    differences: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...] = ()
    stages: tuple[Any, ...] = ()

    def require(self) -> None:
        """Raises where a stage can't be written.

        Raises:
            UnsupportedStagesError: [UNSUPPORTED_STAGES] all of them are named, each with the reason.
        """
        if self.unsupported != ():
            raise UnsupportedStagesError(self.unsupported)

    def inputs(self) -> list[str]:
        """The columns that the bundle takes from outside, in the order of their use."""
        made = set(self.outputs())
        return list(dict.fromkeys(name for node in self.nodes for _, name in node.inputs if name not in made))

    def outputs(self) -> list[str]:
        """The columns that the bundle makes, in their order."""
        return list(dict.fromkeys(name for node in self.nodes for _, name in node.outputs))


def preflight(model: Any, sample_input: Any, scratch: str, drop_label_stages: bool = False) -> Preflight:
    """What the bundle of a fitted pipeline would be; `scratch` is a folder that Spark can write and read.

    `sample_input` gives the columns, their types and the lengths of vectors; it is not scored but for those.
    `drop_label_stages` leaves out stages that only make a label, so that scoring needs none.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] the sample lacks columns that the stages take; all of them are named.
    """
    saved = SavedStages(sample_input.sparkSession, scratch)
    stages = flat(model, saved)
    dropped = label_stages(stages) if drop_label_stages else ()
    kept = tuple(stage for stage in stages if stage.uid not in dropped)
    require_columns(kept, sample_input.columns)
    sample = Sample(transformed(kept, sample_input), saved)
    nodes: list[Node] = []
    unsupported: list[tuple[str, str]] = []
    differences: list[tuple[str, str]] = []
    for stage in kept:
        writer = STAGES.get(type(stage).__name__)
        if writer is None:
            name = type(stage).__name__
            unsupported.append((stage.uid, REFUSED.get(name, f"MLeap has no op for {name}")))
            continue
        try:
            made = writer.write(stage, sample)
            _require_sparks_text(made, nodes, sample)
            nodes += made
        except RefusedError as reason:
            unsupported.append((stage.uid, str(reason)))
        if differs(stage) != "":
            differences.append((stage.uid, differs(stage)))
    return Preflight(_unique(nodes), tuple(unsupported), tuple(differences), dropped, kept)


def _require_sparks_text(made: Iterable[Node], before: Iterable[Node], sample: Sample) -> None:
    """Raises RefusedError where the text of imputed numbers is indexed: MLeap's are doubles, whatever Spark's are."""
    imputed = {column for node in before if node.model.op == "imputer" for _, column in node.outputs}
    for column in (column for node in made if node.model.op == "string_indexer" for _, column in node.inputs):
        if column in imputed and sample.kind(column) != "double":
            raise RefusedError(f"MLeap imputes doubles, and {column!r} is {sample.kind(column)}: its text is another")


def _unique(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes under names of their own: stages inside a formula bear the formula's."""
    found: dict[str, Node] = {}
    for node in nodes:
        name = node.name
        while name in found:
            name += "_"
        found[name] = replace(node, name=name)
    return tuple(found.values())


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


def best_model(model: Any) -> Any:
    """The best model of a tuned one; any other is itself."""
    return best_model(model.bestModel) if type(model).__name__ in TUNED else model


def flat(model: Any, saved: SavedStages) -> list[Any]:
    """The stages of a pipeline in order, with those of inner pipelines, tuned models and formulas in their place."""
    kind = type(model).__name__
    if kind == "PipelineModel":
        return [inner for stage in model.stages for inner in flat(stage, saved)]
    if kind in TUNED:
        return flat(model.bestModel, saved)
    if kind == "RFormulaModel":
        return saved.formula_stages(model)
    return [model]


def transformed(stages: Iterable[Any], frame: Any) -> Any:
    """A DataFrame with the columns that stages add, one after the other."""
    return reduce(lambda given, stage: stage.transform(given), stages, frame)


def label_stages(stages: list[Any]) -> tuple[str, ...]:
    """The stages whose output is used as a label and by no other stage as an input."""
    labels = {stage.getLabelCol() for stage in stages if stage.hasParam("labelCol")}
    used = {name for stage in stages for name in inputs_of(stage)}
    return tuple(stage.uid for stage in stages if (made := outputs_of(stage)) and set(made) <= labels - used)


def require_columns(stages: Iterable[Any], given: Iterable[str]) -> None:
    """Raises where stages take columns that neither the sample has nor a stage before them makes.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] with all of them.
    """
    known = set(given)
    missing: dict[str, None] = {}
    for stage in stages:
        if type(stage).__name__ not in STAGES:
            break  # as SQL, it may make any column
        missing |= dict.fromkeys(name for name in inputs_of(stage) if name not in known)
        known |= {str(stage.getOrDefault(param)) for param in stage.params if _makes_column(stage, param)}
        known |= set(outputs_of(stage))
    if missing != {}:
        raise InvalidArgumentError(
            f"The sample input lacks the columns {listed(missing)}",
            "give a DataFrame with all of the pipeline's inputs; drop_label_stages=True leaves out those of the label",
        )


def _makes_column(stage: Any, param: Any) -> bool:
    made = param.name.endswith("Col") and param.name not in INPUTS
    return made and stage.isDefined(param) and stage.getOrDefault(param) not in (None, "")


def inputs_of(stage: Any) -> list[str]:
    """The columns that a stage takes; of a predictor without its label."""
    return _named(stage, INPUTS, "inputCols")


def outputs_of(stage: Any) -> list[str]:
    """The columns that a feature stage makes; none for a predictor."""
    return _named(stage, ("outputCol",), "outputCols")


def _named(stage: Any, single: tuple[str, ...], several: str) -> list[str]:
    if stage.hasParam(several) and stage.isSet(several):
        return list(stage.getOrDefault(several))
    return [str(stage.getOrDefault(name)) for name in single if stage.hasParam(name) and stage.isDefined(name)]
