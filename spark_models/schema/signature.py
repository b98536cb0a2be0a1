"""A model signature: schemas of inputs and outputs, and the parameters of a call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from spark_models.errors import InvalidSchemaError, InvalidSpecTypeError
from spark_models.schema.params import ParamSchema
from spark_models.schema.schema import Schema


class ModelSignature:
    """What a model takes and gives. `outputs` and `params` may be None: then nothing is said of them.

    Raises:
        InvalidSpecTypeError: [INVALID_SPEC_TYPE] an argument is no Schema.

    >>> from spark_models.schema.specs import ColSpec
    >>> ModelSignature(inputs=Schema([ColSpec("double", "x")]), outputs=Schema([ColSpec("long")]))
    inputs: ['x': double]
    outputs: [long]
    """

    __slots__ = ("inputs", "outputs", "params")
    inputs: Schema
    outputs: Schema | None
    params: ParamSchema | None

    def __init__(
        self,
        inputs: Schema | None = None,
        outputs: Schema | None = None,
        params: ParamSchema | None = None,
    ) -> None:
        if inputs is not None and not isinstance(inputs, Schema):
            raise InvalidSpecTypeError("ModelSignature", "inputs", "Schema", type(inputs).__name__)
        if outputs is not None and not isinstance(outputs, Schema):
            raise InvalidSpecTypeError("ModelSignature", "outputs", "Schema or None", type(outputs).__name__)
        if params is not None and not isinstance(params, ParamSchema):
            raise InvalidSpecTypeError("ModelSignature", "params", "ParamSchema or None", type(params).__name__)
        if inputs is None and outputs is None and params is None:
            raise InvalidSchemaError("a signature needs inputs, outputs or params", "ModelSignature")
        self.inputs = Schema([]) if inputs is None else inputs
        self.outputs = outputs
        self.params = params

    def to_dict(self) -> dict[str, Any]:
        """The form that stands in `MLmodel`: JSON text for each part, None for absent outputs."""
        form: dict[str, Any] = {
            "inputs": self.inputs.to_json() if len(self.inputs) > 0 else None,
            "outputs": None if self.outputs is None else self.outputs.to_json(),
        }
        return form if self.params is None else {**form, "params": self.params.to_json()}

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> ModelSignature:
        """The signature that the form in `MLmodel` describes; unknown keys are ignored.

        Raises:
            InvalidSchemaError: [INVALID_SCHEMA] a part is not the JSON of a schema.

        >>> ModelSignature.from_dict({"inputs": '[{"type": "double"}]'}).inputs
        [double]
        """
        if not isinstance(form, Mapping):
            raise InvalidSchemaError(f"a mapping is expected, not {type(form).__name__}", "signature")
        parts = {name: form.get(name) for name in ("inputs", "outputs", "params")}
        return cls(
            inputs=None if parts["inputs"] is None else Schema.from_json(_text(parts["inputs"]), "signature.inputs"),
            outputs=None
            if parts["outputs"] is None
            else Schema.from_json(_text(parts["outputs"]), "signature.outputs"),
            params=None
            if parts["params"] is None
            else ParamSchema.from_json(_text(parts["params"]), "signature.params"),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelSignature) and (self.inputs, self.outputs, self.params) == (
            other.inputs,
            other.outputs,
            other.params,
        )

    def __hash__(self) -> int:
        return hash((self.inputs, self.outputs, self.params))

    def __repr__(self) -> str:
        params = "" if self.params is None else f"\nparams: {self.params!r}"
        return f"inputs: {self.inputs!r}\noutputs: {self.outputs!r}{params}"


def _text(part: object) -> str:
    # Hand-written MLmodel files hold the list itself where MLflow writes its JSON text.
    try:
        return part if isinstance(part, str) else json.dumps(part)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSchemaError("it holds what JSON has no form for, as a date", "signature") from error
