"""`BindPlan`: how a batch's columns become the model's input. Made once on the driver, applied by the workers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from spark_models.bind.casts import cast_column
from spark_models.bind.tensors import check_tensor, column_tensor
from spark_models.errors import InputError, InvalidInputError
from spark_models.schema.datatypes import DataType
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec, Spec, TensorSpec


@dataclass(frozen=True, slots=True)
class BindPlan:
    """The inputs that a call gives, in schema order, and the form in which the model takes them.

    `specs` is empty for a model without signature: then the columns reach it as they are, under `labels`.
    `matrix` says that the model takes the bare matrix of its columns, as was proved when it was saved. `packed` says
    that the columns come as one array column of doubles. `guarded` says that Spark has looked at their types already.
    """

    specs: tuple[Spec, ...] = ()
    labels: tuple[str, ...] = ()
    matrix: bool = False
    packed: bool = False
    guarded: bool = False

    @property
    def doubles(self) -> bool:
        """Whether every input is a double column, so that a batch is one matrix."""
        kinds = [spec.type for spec in self.specs if isinstance(spec, ColSpec)]
        return len(kinds) > 0 and len(kinds) == len(self.specs) and all(kind is DataType.double for kind in kinds)

    def bind(
        self, columns: Sequence[Any], labels: Sequence[str] | None = None, fitting: Collection[int] = frozenset()
    ) -> Any:
        """The model's input for a batch of columns: 1-D numpy or pandas arrays of one length.

        The columns at the positions `fitting` are known to be what their specs say, and are not looked at again. For
        tensors an array may have more axes.

        Raises:
            InputError: a column does not fit; several come as InvalidInputError.
        """
        if self.specs == ():
            names = labels if labels is not None else self.labels
            return _frame([plain_cells(column) for column in columns], names)
        tensors = [spec for spec in self.specs if isinstance(spec, TensorSpec)]
        if tensors != []:
            return _tensors(columns, tensors, self.guarded)
        given = [spec for spec in self.specs if isinstance(spec, ColSpec)]
        cast = _each(columns, given, fitting)
        if self.doubles:
            return self.of_matrix(np.stack(cast).T)
        return _frame(cast, self.labels)

    def of_matrix(self, matrix: np.ndarray[Any, Any]) -> Any:
        """The model's input for a batch that is one matrix of doubles, shape (rows, inputs)."""
        if self.matrix:
            return matrix
        frame = pd.DataFrame(_writable(matrix), copy=False)
        frame.columns = pd.Index(self.labels)
        return frame


def plan_for(schema: Schema | None, given: Sequence[object], matrix: bool) -> BindPlan:
    """The plan for a schema of which the inputs `given` (names or positions) are at hand.

    >>> plan_for(Schema([ColSpec("double", "x")]), ["x"], matrix=False).labels
    ('x',)
    """
    if schema is None:
        return BindPlan(labels=tuple(str(position) for position in range(len(given))))
    wanted = set(given)
    pairs = [(name, spec) for name, spec in zip(schema.input_names(), schema, strict=True) if name in wanted]
    return BindPlan(tuple(spec for _, spec in pairs), tuple(str(name) for name, _ in pairs), matrix)


def _each(columns: Sequence[Any], specs: Sequence[ColSpec], fitting: Collection[int]) -> list[Any]:
    cast: list[Any] = []
    problems: list[InputError] = []
    for position, (values, spec) in enumerate(zip(columns, specs, strict=True)):
        if position in fitting:
            cast.append(values)
            continue
        name = position if spec.name is None else spec.name
        try:
            cast.append(cast_column(plain_cells(values), spec.type, name, spec.required))
        except InputError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems != []:
        raise InvalidInputError(tuple(problems))
    return cast


def _frame(columns: Sequence[Any], labels: Sequence[str]) -> pd.DataFrame:
    """A frame of its own: the columns of one dtype are one block, as models read it fastest, and no view of Arrow's."""
    frame = pd.DataFrame(dict(enumerate(columns)), copy=True)
    frame.columns = pd.Index(labels, dtype=object)
    return frame


def _tensors(columns: Sequence[Any], specs: list[TensorSpec], guarded: bool) -> Any:
    # Spark has looked at guarded columns: floats for an integer tensor are integers beside nulls.
    def tensor(values: Any, spec: TensorSpec) -> Any:
        return column_tensor(values, spec, gaps=guarded)

    if specs[0].name is not None:
        bound = zip(columns, specs, strict=True)
        return {spec.name: check_tensor(_writable(tensor(values, spec)), spec) for values, spec in bound}
    spec = specs[0]
    if len(columns) == 1:
        return check_tensor(_writable(tensor(columns[0], spec)), spec)
    row = TensorSpec(spec.type, (-1,))
    return check_tensor(np.stack([tensor(values, row) for values in columns], axis=1), spec)


def _writable(values: Any) -> Any:
    """The values, copied where they are a view of Arrow's buffer: a model may write to its input, as it may locally."""
    return values.copy() if isinstance(values, np.ndarray) and not values.flags.writeable else values


def plain_cells(values: Any) -> Any:
    """Nested cells as Python lists and dicts, whatever the transport made of them."""
    if not (isinstance(values, np.ndarray) and values.dtype == object and len(values) > 0):
        return values
    first = next((cell for cell in values if cell is not None), None)
    if isinstance(first, (str, bytes)) or first is None or not isinstance(first, (np.ndarray, dict, list, tuple)):
        return values
    plain = np.empty(len(values), dtype=object)
    plain[:] = [_plain(cell) for cell in values]
    return plain


def _plain(cell: Any) -> Any:
    if isinstance(cell, np.ndarray):
        return [_plain(item) for item in cell] if cell.dtype == object else cell.tolist()
    if hasattr(cell, "asDict"):
        return {name: _plain(item) for name, item in cell.asDict().items()}
    if isinstance(cell, dict):
        return {name: _plain(item) for name, item in cell.items()}
    return cell
