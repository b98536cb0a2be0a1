"""What a bundle is made of: models, nodes that bind a model to columns; and what a writer knows of the sample."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spark_models.bridge.sql import quoted
from spark_models.bundle.saved import SavedStages
from spark_models.bundle.values import RefusedError, Value

Ports = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class BundleModel:
    """An op with its attributes, its further files by name, and the models inside it by folder."""

    op: str
    attributes: Mapping[str, Value] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, BundleModel] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Writes the model into a folder, which is made."""
        folder.mkdir(parents=True)
        write_json(folder / "model.json", {"op": self.op, "attributes": dict(self.attributes)})
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        for name, part in self.parts.items():
            part.write(folder / name)


@dataclass(frozen=True, slots=True)
class Node:
    """A model whose ports are bound to columns."""

    name: str
    model: BundleModel
    inputs: Ports
    outputs: Ports

    def write(self, root: Path) -> None:
        """Writes the node into its folder under `root`."""
        folder = root / f"{self.name}.node"
        self.model.write(folder)
        sockets = {
            kind: [{"name": column, "port": port} for port, column in ports]
            for kind, ports in (("inputs", self.inputs), ("outputs", self.outputs))
        }
        write_json(folder / "node.json", {"name": self.name, "shape": sockets})


def write_json(file: Path, content: Any) -> None:
    """Writes strict JSON in UTF-8."""
    file.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), encoding="utf-8")


@dataclass(slots=True)
class Sample:
    """The sample with the pipeline's columns added, and what a stage saves beyond its getters."""

    frame: Any
    saved: SavedStages

    def kind(self, column: str) -> str:
        """The column's type as Spark writes it."""
        return str(self.frame.schema[column].dataType.simpleString())

    def attributes(self, column: str) -> dict[str, Any]:
        """Spark ML's metadata of the column; empty where there is none."""
        found: dict[str, Any] = self.frame.schema[column].metadata.get("ml_attr", {})
        return found

    def size(self, column: str) -> int | None:
        """The length of a vector column, None for a scalar one."""
        if self.kind(column) != "vector":
            return None
        stated = self.attributes(column)
        if "num_attrs" in stated:
            return int(stated["num_attrs"])
        if "attrs" in stated:
            return sum(len(group) for group in stated["attrs"].values())
        row = self.frame.select(quoted(column)).where(f"{quoted(column)} is not null").first()
        if row is None:
            raise RefusedError(f"the sample has no row that tells the length of {column!r}")
        return len(row[0])

    def length(self, column: str) -> int:
        """The length of a column that must be a vector."""
        size = self.size(column)
        if size is None:
            raise RefusedError(f"its input {column!r} is no vector")
        return size

    def values(self, column: str) -> tuple[list[str] | None, int | None]:
        """The labels of a nominal column, where known, and how many there are."""
        stated = self.attributes(column)
        if stated.get("type") == "binary":
            return stated.get("vals"), 2
        labels = stated.get("vals")
        return labels, len(labels) if labels is not None else stated.get("num_vals")
