"""`Model`: what the MLmodel file of a package says."""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from spark_models.errors import InvalidMLmodelError, InvalidSpecTypeError, NotAModelError
from spark_models.package.example import read_example, read_predictions
from spark_models.package.layout import MANIFEST, MLMODEL
from spark_models.package.manifest import file_hash, manifest_text, parse_manifest, read_manifest
from spark_models.package.yaml_file import dump_yaml, read_yaml
from spark_models.schema.schema import Schema
from spark_models.schema.signature import ModelSignature
from spark_models.store.uris import local_path

_OWN_KEYS = (
    "artifact_path",
    "run_id",
    "flavors",
    "signature",
    "input_example",
    "saved_input_example_info",
    "example_predictions",
    "databricks_runtime",
    "time_created",
    "utc_time_created",
)


class Model:
    """A model's flavors, signature, example and origin. Keys of other tools survive a load and save.

    >>> Model().add_flavor("sklearn", pickled_model="model.pkl").flavors
    {'sklearn': {'pickled_model': 'model.pkl'}}
    """

    def __init__(
        self,
        artifact_path: str | None = None,
        run_id: str | None = None,
        utc_time_created: datetime.datetime | str | None = None,
        flavors: Mapping[str, Mapping[str, Any]] | None = None,
        signature: ModelSignature | None = None,
        saved_input_example_info: Mapping[str, Any] | None = None,
        *,
        example_predictions: Mapping[str, Any] | None = None,
        databricks_runtime: str | None = None,
        **other: Any,
    ) -> None:
        if signature is not None and not isinstance(signature, ModelSignature):
            raise InvalidSpecTypeError("Model", "signature", "ModelSignature or None", type(signature).__name__)
        self.artifact_path = artifact_path
        self.run_id = run_id
        self.time_created = _time(utc_time_created)
        self.flavors: dict[str, dict[str, Any]] = {name: dict(conf) for name, conf in (flavors or {}).items()}
        self.signature = signature
        self.saved_input_example_info = None if saved_input_example_info is None else dict(saved_input_example_info)
        self.example_predictions = None if example_predictions is None else dict(example_predictions)
        self.databricks_runtime = databricks_runtime
        self.other: dict[str, Any] = dict(other)

    def __getattr__(self, name: str) -> Any:
        # Fields of other tools (metadata, model_uuid, …) read like MLflow's own attributes.
        other = self.__dict__.get("other", {})
        if name in other:
            return other[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def utc_time_created(self) -> str:
        """When the model was created, in UTC, as MLflow writes it."""
        return self.time_created.isoformat(sep=" ", timespec="microseconds")

    def add_flavor(self, name: str, **params: Any) -> Model:
        """This model with a flavor: its name and attributes, any values that YAML holds. Replaces one of that name."""
        self.flavors[name] = params
        return self

    def get_input_schema(self) -> Schema | None:
        """The inputs of the signature; None without one."""
        return None if self.signature is None else self.signature.inputs

    def get_output_schema(self) -> Schema | None:
        """The outputs of the signature; None where it says nothing of them."""
        return None if self.signature is None else self.signature.outputs

    def load_input_example(self, path: str | os.PathLike[str]) -> Any:
        """The input example of the package at `path`; None where it has none."""
        if self.saved_input_example_info is None:
            return None
        return read_example(self.saved_input_example_info, local_path(path), self.get_input_schema())

    def load_example_predictions(self, path: str | os.PathLike[str]) -> Any:
        """The stored predictions on the input example; None where there are none."""
        return (
            None if self.example_predictions is None else read_predictions(self.example_predictions, local_path(path))
        )

    def to_dict(self) -> dict[str, Any]:
        """The content of the MLmodel file; keys without a value are left out."""
        info = self.saved_input_example_info
        fields = {
            "artifact_path": self.artifact_path,
            "run_id": self.run_id,
            "time_created": self.time_created,
            "utc_time_created": self.utc_time_created,
            "flavors": self.flavors,
            "signature": None if self.signature is None else self.signature.to_dict(),
            "input_example": None if info is None else info.get("artifact_path"),
            "saved_input_example_info": info,
            "example_predictions": self.example_predictions,
            "databricks_runtime": self.databricks_runtime,
            **self.other,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def to_yaml(self) -> str:
        """The text of the MLmodel file."""
        return dump_yaml(self.to_dict())

    def to_json(self) -> str:
        """The content of the MLmodel file as JSON."""
        return json.dumps(self.to_dict(), default=str)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], source: str = MLMODEL) -> Model:
        """The model that the content of an MLmodel file describes.

        Raises:
            InvalidMLmodelError: [INVALID_MLMODEL] a field is not of its form.
            InvalidSchemaError: [INVALID_SCHEMA] the signature is not valid.
        """
        if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
            raise InvalidMLmodelError(source, "a mapping of names to values is expected")
        flavors = content.get("flavors") or {}
        if not isinstance(flavors, Mapping) or not all(isinstance(conf, Mapping) for conf in flavors.values()):
            raise InvalidMLmodelError(source, "'flavors' must map each flavor's name to its attributes")
        signature = content.get("signature")
        model = cls(
            artifact_path=content.get("artifact_path"),
            run_id=content.get("run_id"),
            utc_time_created=_stated_time(content, source),
            flavors=flavors,
            signature=None if signature is None else ModelSignature.from_dict(signature),
            saved_input_example_info=_example_info(content, source),
            example_predictions=_predictions_info(content, source),
            databricks_runtime=content.get("databricks_runtime"),
        )
        # Not as keyword arguments: the key of another tool may be named like one of ours.
        model.other.update({key: value for key, value in content.items() if key not in _OWN_KEYS})
        return model

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """The model of a package: a directory, its MLmodel file, or a model URI such as `runs:/<run_id>/<path>`.

        Raises:
            ModelNotFoundError: [MODEL_NOT_FOUND] there is no such path.
            NotAModelError: [NOT_A_MODEL] the directory has no MLmodel file.
            InvalidYamlError: [INVALID_YAML] the file is no YAML; the error has the line.
            InvalidMLmodelError: [INVALID_MLMODEL] the YAML describes no model.
        """
        found = local_path(path)
        file = found / MLMODEL if found.is_dir() else found
        if not file.is_file():
            raise NotAModelError(str(found))
        return cls.from_dict(read_yaml(file), str(file))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the MLmodel file: into the directory `path`, or as the file `path` that is named MLmodel.

        The directory is created where it is absent. In a package with a manifest its line of MLmodel is renewed.
        """
        given = Path(path)
        directory = given.parent if given.name == MLMODEL else given
        text = self.to_yaml()
        directory.mkdir(parents=True, exist_ok=True)
        stage = directory / f".{MLMODEL}.{os.getpid()}"
        stage.write_text(text, encoding="utf-8")
        os.replace(stage, directory / MLMODEL)
        manifest = directory / MANIFEST
        if manifest.is_file():
            sums = parse_manifest(read_manifest(directory) or "", str(manifest))
            renewed = manifest_text({**sums, MLMODEL: file_hash(directory / MLMODEL)})
            manifest.write_text(renewed, encoding="utf-8")

    @classmethod
    def log(cls, artifact_path: str, flavor: Any, registered_model_name: str | None = None, **arguments: Any) -> Any:
        """Logs a model with `flavor.save_model(path=…, mlflow_model=…, **arguments)` into the active run.

        Raises:
            NoRegistryError: [NO_REGISTRY] `registered_model_name` is given, and no registry is at hand.
        """
        from spark_models.tracking import log_package

        def save(path: str, run_id: str) -> None:
            flavor.save_model(path=path, mlflow_model=cls(artifact_path=artifact_path, run_id=run_id), **arguments)

        return log_package(artifact_path, save, registered_model_name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Model(flavors={sorted(self.flavors)}, run_id={self.run_id!r})"

    def facts(self) -> list[tuple[str, str]]:
        """What a person reads of a model, by name.

        >>> Model(run_id="r1").add_flavor("sklearn").facts()
        [('flavors', 'sklearn'), ('run', 'r1')]
        """
        found = [("flavors", ", ".join(sorted(self.flavors)))]
        if self.run_id is not None:
            found.append(("run", self.run_id))
        if self.signature is not None:
            parts = {
                "inputs": self.signature.inputs,
                "outputs": self.signature.outputs,
                "params": self.signature.params,
            }
            found += [(name, _cut(repr(part))) for name, part in parts.items() if part is not None]
        return found

    def _repr_html_(self) -> str:
        return html_table(self.facts())


def html_table(facts: Sequence[tuple[str, str]]) -> str:
    """Facts as a notebook shows them.

    >>> html_table([("a", "<b>")])
    '<table><tr><th>a</th><td>&lt;b&gt;</td></tr></table>'
    """
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    return f"<table>{rows}</table>"


def _cut(text: str, most: int = 1000) -> str:
    # Of a table with hundreds of columns the first ones say what it is.
    return text if len(text) <= most else f"{text[:most]} …"


def _time(value: datetime.datetime | str | None) -> datetime.datetime:
    if value is None:
        return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    parsed = value if isinstance(value, datetime.datetime) else _parse_time(value)
    return parsed if parsed.tzinfo is None else parsed.astimezone(datetime.timezone.utc).replace(tzinfo=None)


def _parse_time(text: str) -> datetime.datetime:
    # Python 3.10 reads neither "Z" nor a fraction of other than 3 or 6 digits, and MLmodel files of the time have both.
    stated = text.strip()
    # MLflow's R package writes two digits of the year, and the seconds twice: 18-10-17T21:32:50.50.28
    by_r = re.fullmatch(r"(\d\d-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d\d)?(\.\d+)?", stated)
    if by_r is not None:
        stated = f"20{by_r[1]}{by_r[2] or ''}"
    exact = re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found.group(1):0<6}", stated)
    return datetime.datetime.fromisoformat(exact.replace("Z", "+00:00"))


def _stated_time(content: Mapping[str, Any], source: str) -> datetime.datetime | None:
    stated = content.get("time_created", content.get("utc_time_created"))
    if stated is None:
        return None
    try:
        return _time(stated if isinstance(stated, datetime.datetime) else str(stated))
    except (ValueError, OverflowError):
        raise InvalidMLmodelError(source, "'time_created' is not a date and time in ISO 8601") from None


def _example_info(content: Mapping[str, Any], source: str) -> dict[str, Any] | None:
    info = content.get("saved_input_example_info", content.get("input_example"))
    if isinstance(info, str):
        return {"artifact_path": info}
    if info is not None and not isinstance(info, Mapping):
        raise InvalidMLmodelError(source, "'input_example' must be a path or a mapping with 'artifact_path'")
    return None if info is None else dict(info)


def _predictions_info(content: Mapping[str, Any], source: str) -> dict[str, Any] | None:
    info = content.get("example_predictions")
    if info is not None and not isinstance(info, Mapping):
        raise InvalidMLmodelError(source, "'example_predictions' must be a mapping with 'artifact_path'")
    return None if info is None else dict(info)
