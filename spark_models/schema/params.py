"""The parameters of one call of a model, as MLflow 2 and 3 declare them."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spark_models.errors import InvalidParamsError, InvalidSchemaError, listed, renames
from spark_models.schema.datatypes import ColumnType, DataType, datatype, type_from_dict, type_to_dict


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One parameter: name, type, default, and shape: None for a scalar, (-1,) for a list.

    >>> ParamSpec("threshold", DataType.double, 0.5)
    'threshold': double = 0.5
    """

    name: str
    dtype: ColumnType
    default: Any
    shape: tuple[int, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: name, type, default, shape."""
        kind = type_to_dict(self.dtype)
        shape = None if self.shape is None else list(self.shape)
        return {"name": self.name, **kind, "default": self.default, "shape": shape}

    def __repr__(self) -> str:
        shape = "" if self.shape is None else f" (shape: {self.shape})"
        return f"{self.name!r}: {self.dtype!r}{shape} = {self.default!r}"


class ParamSchema:
    """The parameters that a call may give, with their defaults.

    >>> ParamSchema([ParamSpec("threshold", DataType.double, 0.5)]).bind({"threshold": 1})
    {'threshold': 1.0}
    """

    __slots__ = ("params",)
    params: tuple[ParamSpec, ...]

    def __init__(self, params: Iterable[ParamSpec]) -> None:
        self.params = tuple(params)
        names = [param.name for param in self.params]
        if len(set(names)) != len(names):
            raise InvalidSchemaError(f"parameter names must be unique: {listed(names)}", "ParamSchema")

    def bind(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """The value of every parameter: the given one, checked and cast, else its default.

        Raises:
            InvalidParamsError: [INVALID_PARAMS] names are unknown or values are of another type; all are listed.
        """
        values = {} if given is None else dict(given)
        known = {param.name: param for param in self.params}
        problems = []
        unknown = [name for name in values if name not in known]
        if unknown != []:
            slips = renames(list(known), unknown)
            problems.append(f"unknown: {listed(unknown)}" + (f" ({slips})" if slips != "" else ""))
        bound: dict[str, Any] = {}
        for param in self.params:
            if param.name not in values:
                bound[param.name] = param.default
                continue
            try:
                bound[param.name] = _cast(values[param.name], param)
            except OverflowError:
                problems.append(f"{param.name!r} is out of the range of {param.dtype!r}")
            except (TypeError, ValueError):
                problems.append(f"{param.name!r} must be {param.dtype!r}, not {type(values[param.name]).__name__}")
        if problems != []:
            raise InvalidParamsError(tuple(problems), tuple(known))
        return bound

    def to_dict(self) -> list[dict[str, Any]]:
        """The JSON form as Python values."""
        return [param.to_dict() for param in self.params]

    def to_json(self) -> str:
        """The JSON form as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, default=_json_form)

    @classmethod
    def from_json(cls, text: str, where: str = "signature.params") -> ParamSchema:
        """The parameters that JSON text describes.

        Raises:
            InvalidSchemaError: [INVALID_SCHEMA] the text is no JSON list of parameters.
        """
        try:
            specs = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidSchemaError(f"not JSON: {error}", where) from error
        if not isinstance(specs, list):
            raise InvalidSchemaError("a JSON list of parameters is expected", where)
        return cls(_param(spec, f"{where}[{position}]") for position, spec in enumerate(specs))

    def __iter__(self) -> Iterator[ParamSpec]:
        return iter(self.params)

    def __len__(self) -> int:
        return len(self.params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSchema) and self.params == other.params

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __repr__(self) -> str:
        return repr(list(self.params))


def _param(spec: object, where: str) -> ParamSpec:
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        raise InvalidSchemaError("a parameter needs a 'name'", where)
    shape = spec.get("shape")
    if shape is not None and not (isinstance(shape, list) and all(isinstance(axis, int) for axis in shape)):
        raise InvalidSchemaError("'shape' must be null or a list of integers", where)
    # MLflow 2.6 wrote the type's name under "dtype"; later releases use "type".
    kind = datatype(spec["dtype"], where) if "dtype" in spec and "type" not in spec else type_from_dict(spec, where)
    stored = spec.get("default")
    default = [_value(item, kind) for item in stored] if isinstance(stored, list) else _value(stored, kind)
    return ParamSpec(spec["name"], kind, default, None if shape is None else tuple(shape))


def _json_form(value: Any) -> Any:
    """Bytes as base64, datetimes as ISO 8601, what numpy holds as what Python does."""
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else str(value)


def _value(stored: Any, kind: ColumnType) -> Any:
    """A default of the type, where JSON has no form for it; text of another form stays text."""
    if not isinstance(stored, str) or kind not in (DataType.binary, DataType.datetime):
        return stored
    try:
        return base64.b64decode(stored, validate=True) if kind is DataType.binary else _moment(stored)
    except ValueError:
        return stored


def _moment(text: str) -> datetime.date:
    is_date = len(text) == len("2020-01-31")
    return datetime.date.fromisoformat(text) if is_date else datetime.datetime.fromisoformat(text)


def _cast(value: Any, param: ParamSpec) -> Any:
    if value is None or not isinstance(param.dtype, DataType):
        return value
    if param.shape is not None:
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise TypeError("a list is expected")
        return [_scalar(item, param.dtype) for item in value]
    return _scalar(value, param.dtype)


def _scalar(value: Any, dtype: DataType) -> Any:
    plain: Any = value.item() if hasattr(value, "item") else value
    allowed = isinstance(plain, _PYTHON[dtype]) and (dtype is DataType.boolean or not isinstance(plain, bool))
    if not allowed:
        raise TypeError(f"{dtype!r} is expected")
    if dtype in (DataType.float, DataType.double):
        return float(plain)
    if dtype in _BITS and not -(2 ** _BITS[dtype]) <= plain < 2 ** _BITS[dtype]:
        raise OverflowError(f"{dtype!r} is too small")
    return plain


_PYTHON: dict[DataType, tuple[type, ...]] = {
    DataType.boolean: (bool,),
    DataType.integer: (int,),
    DataType.long: (int,),
    DataType.float: (int, float),
    DataType.double: (int, float),
    DataType.string: (str,),
    DataType.binary: (bytes, bytearray),
    DataType.datetime: (datetime.datetime, datetime.date, str),
}
_BITS = {DataType.integer: 31, DataType.long: 63}
