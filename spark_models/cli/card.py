"""The card of a package that `inspect` shows: what its files say. Nothing of it is run, unpickled or imported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from spark_models.cli.table import shown, table
from spark_models.errors import InvalidPackageError, ManifestMismatchError, SparkModelsError
from spark_models.package.audit import code_reasons
from spark_models.package.layout import CONDA, EXAMPLE, PYFUNC, REQUIREMENTS
from spark_models.package.manifest import read_manifest
from spark_models.package.reader import Package, open_package
from spark_models.package.yaml_file import read_yaml
from spark_models.schema.schema import Schema
from spark_models.schema.specs import TensorSpec
from spark_models.store.paths import inside

EXAMPLE_ROWS = 3
EXAMPLE_COLUMNS = 8
MAX_EXAMPLE = 64 * 1024 * 1024
MAX_REQUIREMENTS = 1024 * 1024
CELL = 20


@dataclass(frozen=True, slots=True)
class Card:
    """The facts of a package; those that it has not are None or empty. `manifest["state"]` is ok, changed or none."""

    uri: str
    path: str
    content_hash: str
    manifest: dict[str, Any]
    size: int
    files: dict[str, int]
    time_created: str
    run_id: str | None
    artifact_path: str | None
    python_version: str | None
    flavors: dict[str, dict[str, Any]]
    signature: dict[str, Any] | None
    example: dict[str, Any] | None
    predictions: str | None
    requirements: list[str]
    code: list[str]
    other: dict[str, Any]


def read_card(uri: str) -> Card:
    """The card of the package at a URI; every file of it is read once, to compare it with the manifest.

    Raises:
        ModelNotFoundError: [MODEL_NOT_FOUND], NotAModelError: [NOT_A_MODEL] there is no package.
        InvalidMLmodelError: [INVALID_MLMODEL], InvalidYamlError: [INVALID_YAML] its MLmodel is broken.
    """
    package = open_package(uri)
    model = package.model
    content_hash, manifest = _manifest(package)
    files = package.files()
    info = model.example_predictions
    return Card(
        uri=uri,
        path=str(package.root),
        content_hash=content_hash,
        manifest=manifest,
        size=sum(files.values()),
        files=files,
        time_created=model.time_created.isoformat(sep=" ", timespec="seconds"),
        run_id=model.run_id,
        artifact_path=model.artifact_path,
        python_version=_text(model.flavors.get(PYFUNC, {}).get("python_version")),
        flavors=model.flavors,
        signature=_signature(package),
        example=_example(package),
        predictions=None if info is None else _text(info.get("artifact_path")),
        requirements=_requirements(package),
        code=list(code_reasons(package)),
        other=model.other,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _manifest(package: Package) -> tuple[str, dict[str, Any]]:
    if read_manifest(package.root) is None:
        return package.content_hash(), {"state": "none"}
    try:
        return package.verify(), {"state": "ok"}
    except ManifestMismatchError as error:
        parts = {"changed": error.changed, "added": error.added, "removed": error.removed}
        return package.content_hash(), {"state": "changed", **{name: list(names) for name, names in parts.items()}}


def _signature(package: Package) -> dict[str, Any] | None:
    signature = package.model.signature
    if signature is None:
        return None
    params = None if signature.params is None else json.loads(signature.params.to_json())
    outputs = None if signature.outputs is None else signature.outputs.to_dict()
    return {"inputs": signature.inputs.to_dict(), "outputs": outputs, "params": params}


def _example(package: Package) -> dict[str, Any] | None:
    """The first rows of the stored example: its JSON as it stands, which needs no pandas to be looked at."""
    info = package.model.saved_input_example_info
    if info is None:
        return None
    try:
        path = inside(package.root, str(info.get("artifact_path", EXAMPLE)), "input_example of MLmodel")
        if not path.is_file() or path.stat().st_size > MAX_EXAMPLE:
            raise InvalidPackageError(str(path), "the example is missing or too large")
        return _first_rows(json.loads(path.read_text(encoding="utf-8")))
    except (SparkModelsError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return {"problem": f"it can't be read ({type(error).__name__})"}


def _first_rows(body: Any) -> dict[str, Any]:
    if isinstance(body, Mapping) and "inputs" in body:
        named = body["inputs"] if isinstance(body["inputs"], Mapping) else {"tensor": body["inputs"]}
        return {"kind": "tensors", "shapes": {name: _shape(values) for name, values in named.items()}}
    if isinstance(body, list):
        columns = list(body[0]) if body != [] else []
        rows = [[record.get(name) for name in columns] for record in body]
    else:
        rows = body["data"]
        columns = body.get("columns") or [str(position) for position in range(len(rows[0]) if rows != [] else 0)]
    return {"kind": "table", "rows": len(rows), "columns": columns, "first": rows[:EXAMPLE_ROWS]}


def _shape(values: Any) -> list[int]:
    shape = []
    while isinstance(values, list):
        shape.append(len(values))
        values = values[0] if values != [] else None
    return shape


def _requirements(package: Package) -> list[str]:
    """The lines of requirements.txt, else the pip part of conda.yaml; MLflow's first releases wrote only that."""
    path = inside(package.root, REQUIREMENTS, "requirements.txt")
    if path.is_file() and path.stat().st_size <= MAX_REQUIREMENTS:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if line.strip() != "" and not line.startswith("#")]
    conda = inside(package.root, CONDA, "conda.yaml")
    content = read_yaml(conda) if conda.is_file() else None
    dependencies = content.get("dependencies") if isinstance(content, Mapping) else None
    parts = [part for part in dependencies or [] if isinstance(part, Mapping)]
    return [str(line) for part in parts for line in part.get("pip") or []]


def card_json(card: Card) -> str:
    """The card as JSON."""
    return json.dumps(asdict(card), ensure_ascii=False, indent=2, default=str)


def card_text(card: Card) -> str:
    """The card as text for a terminal."""
    lines = [shown(card.uri, 200)]
    facts = {
        "Content hash": f"sha256:{card.content_hash}",
        "Manifest": _manifest_text(card),
        "Size": f"{_bytes(card.size)} in {len(card.files)} files",
        "Created": f"{card.time_created} UTC",
        "Run": card.run_id,
        "Artifact path": card.artifact_path,
        "Python": card.python_version,
    }
    lines += [f"  {name:<13} {shown(value, 200)}" for name, value in facts.items() if value is not None]
    lines += ["", "Flavors"]
    for name, attributes in card.flavors.items():
        stated = ", ".join(f"{key} {value}" for key, value in attributes.items() if value is not None)
        lines.append(f"  {shown(name)}: {shown(stated, 400)}")
    lines += _signature_text(card.signature)
    lines += _example_text(card)
    lines += ["", "Environment", *(f"  {shown(line, 200)}" for line in card.requirements or ["not stated"])]
    reasons = card.code or ["no: it has no pickle, no code of its own and no foreign loader"]
    lines += ["", "Loading runs code", *(f"  {shown(reason, 200)}" for reason in reasons)]
    return "\n".join(lines)


def _manifest_text(card: Card) -> str:
    state = card.manifest["state"]
    if state == "ok":
        return "ok, the files are as they were saved"
    if state == "none":
        return "none, so nothing says whether the files are as they were saved"
    kinds = [kind for kind in ("changed", "added", "removed") if card.manifest[kind] != []]
    parts = [f"{kind} {', '.join(card.manifest[kind])}" for kind in kinds]
    return "CHANGED since it was saved: " + "; ".join(parts)


def _bytes(size: int) -> str:
    """A size for reading.

    >>> _bytes(999), _bytes(1_234_567)
    ('999 B', '1.2 MB')
    """
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"


def _signature_text(signature: dict[str, Any] | None) -> list[str]:
    if signature is None:
        return ["", "Signature", "  none: the model takes what it is given"]
    lines: list[str] = []
    for title, part in (("Inputs", signature["inputs"]), ("Outputs", signature["outputs"])):
        lines += ["", title]
        if not part:
            lines.append("  not stated")
            continue
        schema = Schema.from_json(json.dumps(part))
        rows = [
            ["-" if spec.name is None else spec.name, _type(spec), "yes" if spec.required else "no"] for spec in schema
        ]
        lines += table(["name", "type", "required"], rows)
    if signature["params"]:
        rows = [[param.get("name"), param.get("type"), param.get("default")] for param in signature["params"]]
        lines += ["", "Params", *table(["name", "type", "default"], rows)]
    return lines


def _type(spec: Any) -> str:
    return f"tensor {spec.type.name} {spec.shape}" if isinstance(spec, TensorSpec) else repr(spec.type)


def _example_text(card: Card) -> list[str]:
    example = card.example
    lines = ["", "Example"]
    if example is None:
        return [*lines, "  none"]
    if "problem" in example:
        lines.append(f"  {example['problem']}")
    elif example["kind"] == "tensors":
        lines += [f"  {shown(name)}: shape {tuple(shape)}" for name, shape in example["shapes"].items()]
    else:
        columns = example["columns"]
        lines += table(columns[:EXAMPLE_COLUMNS], [row[:EXAMPLE_COLUMNS] for row in example["first"]], width=CELL)
        more = [(len(columns) - EXAMPLE_COLUMNS, "columns"), (example["rows"] - EXAMPLE_ROWS, "rows")]
        hidden = [f"+{count} {what}" for count, what in more if count > 0]
        lines += [f"  … {', '.join(hidden)}"] if hidden != [] else []
    stored = "none are stored" if card.predictions is None else f"stored in {shown(card.predictions)}"
    return [*lines, f"  Predictions on it: {stored}"]
