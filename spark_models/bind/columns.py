"""Which of the given columns is which input of the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from spark_models.errors import ColumnCountError, DuplicateColumnsError, MissingColumnsError
from spark_models.schema.schema import Schema


def bind_columns(given: Sequence[object], schema: Schema, place: str = "") -> tuple[int | None, ...]:
    """Positions in `given` of each input of `schema`, in schema order; 0-based, length `len(schema)`.

    Named schemas match by exact name and ignore extra columns; an optional input that is absent has None.
    Unnamed ones match by position and need exactly `len(schema)` columns.

    Raises:
        MissingColumnsError: [MISSING_COLUMNS] names are absent; all of them are listed.
        DuplicateColumnsError: [DUPLICATE_COLUMNS] a wanted name is given twice.
        ColumnCountError: [COLUMN_COUNT] an unnamed schema got another number of columns.
    Source: the Models document, "Name Ordering Enforcement".

    >>> from spark_models.schema.specs import ColSpec
    >>> bind_columns(["x", "b", "a"], Schema([ColSpec("long", "a"), ColSpec("double", "b")]))
    (2, 1)
    """
    if not schema.has_input_names():
        if len(given) != len(schema):
            raise ColumnCountError(len(schema), len(given), tuple(given))
        return tuple(range(len(schema)))
    names = schema.input_names()
    where: dict[object, int] = {}
    for position, name in enumerate(given):
        where.setdefault(name, position)
    missing = tuple(spec.name for spec in schema if spec.required and spec.name not in where)
    if missing != ():
        raise MissingColumnsError(missing, tuple(given), len(schema), place)
    if len(where) != len(given):
        wanted = set(names)
        repeated = tuple(name for name, times in Counter(given).items() if times > 1 and name in wanted)
        if repeated != ():
            raise DuplicateColumnsError(repeated)
    return tuple(where.get(name) for name in names)
