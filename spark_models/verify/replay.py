"""The stored example of a package scored again, here and in Spark, and compared with the stored predictions."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from spark_models.bundle.companion import TOLERANCE as JVM_TOLERANCE
from spark_models.bundle.companion import find_companion, jvm_conflicts
from spark_models.coerce.coerce import coerce_output
from spark_models.coerce.result_type import ResultType
from spark_models.errors import (
    CompanionFailedError,
    CompanionUnavailableError,
    MissingExtraError,
    NothingToReplayError,
    OutputError,
    SparkUnavailableError,
)
from spark_models.package.layout import PYFUNC
from spark_models.package.reader import Package, open_package
from spark_models.pyfunc.loading import PyFuncModel, load_model
from spark_models.verify.compare import TOLERANCE, Conflict, columns_of, compare_outputs, json_plain
from spark_models.verify.example import ROW, in_utc, result_type_of, row_count, spark_example, unscorable

STORED = "stored predictions"
LOCAL = "local"
SPARK = "Spark"
JVM = "JVM"
JVM_FLAVOR = "mleap"
"""The flavor that the Java companion scores."""

_OWN_ERROR = re.compile(r"\[[A-Z][A-Z_0-9]+\] .+(?:\n(?:Where|Hint): .+)*")
_RAISED = re.compile(r"^(?!org\.|java\.|scala\.)[A-Za-z_][\w.]*(?:Error|Exception): .+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Check:
    """One place's answers against another's: `where` was compared with `against`; `error` where it gave none."""

    where: str
    against: str
    conflicts: tuple[Conflict, ...] = ()
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether the answers were the same."""
        return self.conflicts == () and self.error == ""


@dataclass(frozen=True, slots=True)
class Replay:
    """A replayed package: its content hash, the rows of its example, each check, and what was left out and why."""

    uri: str
    content_hash: str
    rows: int
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check passed; there is at least one."""
        return all(check.passed for check in self.checks)


def replay(
    model_uri: str | os.PathLike[str],
    *,
    spark: bool | None = None,
    jvm: bool | None = None,
    tolerance: float = TOLERANCE,
    allow_code: bool | None = None,
    expected_hash: str | None = None,
) -> Replay:
    """The comparison of a package's stored predictions with what the model gives for the stored example now.

    It is scored locally and, unless `spark` is false, in Spark: in the active session, else in one of two local cores.
    By None Spark is left out, with a note, where pyspark is not installed or can't hold the example. A package with the
    mleap flavor is scored in the JVM as well, unless `jvm` is false, or is None and the Java companion is not at hand;
    it alone is asked where there is no python_function. The JVM's numbers may differ by 1e-9, or the larger tolerance.

    Raises:
        FlavorNotFoundError: [FLAVOR_NOT_FOUND] `jvm` is asked for, and the package has not the mleap flavor.
        CompanionUnavailableError: [COMPANION_UNAVAILABLE] `jvm` is asked for, and there is no Java or no jar.
        NothingToReplayError: [NOTHING_TO_REPLAY] the package has no example, or no predictions and Spark is left out.
        ManifestMismatchError, HashMismatchError, CodeNotAllowedError: as `load_model`.
        MissingExtraError: [MISSING_EXTRA] Spark is asked for and not installed.
        SparkUnavailableError: [SPARK_UNAVAILABLE] no session can be started.
    """
    package = open_package(model_uri)
    if jvm:
        package.flavor(JVM_FLAVOR)
    no_jvm = _no_jvm(package, jvm)
    if PYFUNC not in package.model.flavors and JVM_FLAVOR in package.model.flavors and jvm is not False:
        return _replay_in_jvm_alone(package, tolerance, expected_hash)
    model = load_model(model_uri, allow_code=allow_code, expected_hash=expected_hash)
    example = package.model.load_input_example(package.root)
    if example is None:
        raise NothingToReplayError(str(package.root), "input example")
    stored = package.model.load_example_predictions(package.root)
    notes = []
    left_out = _left_out(model, example, spark)
    if stored is None:
        if left_out != "":
            raise NothingToReplayError(str(package.root), "predictions on its input example")
        notes.append("no predictions are stored: Spark is compared with the local answer")
    local = model.predict(example)
    checks = [] if stored is None else [Check(LOCAL, STORED, compare_outputs(stored, local, tolerance=tolerance))]
    if left_out == "":
        checks.extend(_in_spark(model, example, stored, local, tolerance, allow_code, expected_hash))
    else:
        notes.append(left_out)
    if no_jvm is None:
        against, expected = (LOCAL, local) if stored is None else (STORED, None)
        checks.append(_in_jvm(package, against, tolerance, example, expected))
    elif no_jvm != "":
        notes.append(no_jvm)
    return Replay(os.fspath(model_uri), package.content_hash(), row_count(example), tuple(checks), tuple(notes))


def _no_jvm(package: Package, jvm: bool | None) -> str | None:
    """Why the JVM is left out, '' where nobody would look for it; None where it is not."""
    if JVM_FLAVOR not in package.model.flavors:
        return ""
    if jvm is False:
        return "the JVM is left out, as asked"
    try:
        find_companion()
    except CompanionUnavailableError as error:
        if jvm:
            raise
        return f"the JVM is left out: {error.problem}"
    return None


def _in_jvm(package: Package, against: str, tolerance: float, example: Any = None, expected: Any = None) -> Check:
    """The JVM's answers against the stored ones, else against those that are given for the example."""
    inputs = None if expected is None else json_table(example)
    wanted = None if expected is None else json_table(expected)
    try:
        _, found = jvm_conflicts(package.root, inputs, wanted, tolerance=max(tolerance, JVM_TOLERANCE))
    except CompanionFailedError as error:
        return Check(JVM, against, error=str(error))
    return Check(JVM, against, tuple(Conflict(item.row, item.column, item.expected, item.actual) for item in found))


def _replay_in_jvm_alone(package: Package, tolerance: float, expected_hash: str | None) -> Replay:
    """The replay of a package without a python_function: no Python can score it."""
    found = package.verify(expected_hash)
    example = package.model.load_input_example(package.root)
    if example is None:
        raise NothingToReplayError(str(package.root), "input example")
    if package.model.load_example_predictions(package.root) is None:
        raise NothingToReplayError(str(package.root), "predictions on its input example")
    find_companion()
    notes = ("only the JVM is asked: the package has no python_function flavor",)
    return Replay(package.uri, found, row_count(example), (_in_jvm(package, STORED, tolerance),), notes)


def json_table(output: Any) -> dict[str, Any]:
    """Rows in split orientation, of plain JSON values; without names where the output has none."""
    columns = columns_of(output)
    named = isinstance(output, dict) or hasattr(output, "columns")
    rows = [[json_plain(value) for value in row] for row in zip(*(column.values for column in columns), strict=True)]
    return {**({"columns": [column.name for column in columns]} if named else {}), "data": rows}


def _left_out(model: PyFuncModel, example: Any, spark: bool | None) -> str:
    """Why Spark is left out; '' where it is not."""
    if spark is False:
        return "Spark is left out, as asked"
    if find_spec("pyspark") is None:
        if spark:
            raise MissingExtraError("pyspark", "spark", "Comparing with Spark")
        return "Spark is left out: pyspark is not installed"
    schema = model.metadata.get_input_schema()
    reason = unscorable(example, None if schema is None or len(schema) == 0 else schema)
    return "" if reason == "" else f"Spark is left out: {reason}"


def _in_spark(
    model: PyFuncModel,
    example: Any,
    stored: Any,
    local: Any,
    tolerance: float,
    allow_code: bool | None,
    expected_hash: str | None,
) -> list[Check]:
    """Spark's answers against the stored and the local ones, all of them as the same result type."""
    outputs = model.metadata.get_output_schema()
    result_type = result_type_of(local if stored is None else stored, outputs)
    wanted = {name: value for name, value in ((STORED, stored), (LOCAL, local)) if value is not None}
    rows = row_count(example)
    try:
        given = spark_answers(model, example, result_type, allow_code=allow_code, expected_hash=expected_hash)
    except SparkUnavailableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever Spark raises, it is this check's outcome
        return [Check(SPARK, against, error=concise(error)) for against in wanted]
    checks = []
    for against, value in wanted.items():
        try:
            conflicts = compare_outputs(_as_type(value, result_type, rows), given, tolerance=tolerance)
        except OutputError as error:
            # What was stored, or given locally, is not one prediction a row: no job can give the same.
            checks.append(Check(SPARK, against, error=str(error)))
        else:
            checks.append(Check(SPARK, against, conflicts))
    return checks


def spark_answers(
    model: PyFuncModel,
    example: Any,
    result_type: ResultType,
    *,
    allow_code: bool | None = None,
    expected_hash: str | None = None,
) -> Any:
    """The predictions of a Spark job on the example, in its order: a list, or a dict of lists for a struct.

    The rows are spread over the session's cores: a model whose answers depend on the batch is found out. The session's
    time zone is UTC meanwhile, so that an instant's wall clock is what the model sees locally.
    """
    from spark_models.bridge.sql import quoted
    from spark_models.scoring.score import is_pipeline, score
    from spark_models.scoring.session import session_or_local

    schema = model.metadata.get_input_schema()
    stated = None if schema is None or len(schema) == 0 else schema
    with session_or_local() as session:
        zone = session.conf.get("spark.sql.session.timeZone")
        session.conf.set("spark.sql.session.timeZone", "UTC")
        try:
            frame = spark_example(session, example, stated)
            inputs = [name for name in frame.columns if name != ROW]
            scored = score(
                frame,
                model.uri,
                result_type=None if is_pipeline(model.metadata) else result_type,
                output="__prediction",
                columns=inputs,
                allow_code=allow_code,
                expected_hash=expected_hash,
            )
            answers = [name for name in scored.columns if name not in frame.columns]
            rows = sorted(scored.select(ROW, *map(quoted, answers)).collect(), key=lambda row: row[0])
        finally:
            session.conf.set("spark.sql.session.timeZone", zone)
    if result_type.kind != "struct":
        return [in_utc(row[1]) for row in rows]
    names = [name for name, _ in result_type.fields]
    return {name: [in_utc(row[1 + position]) for row in rows] for position, name in enumerate(names)}


def _as_type(output: Any, result_type: ResultType, rows: int) -> Any:
    """An output as the result type holds it: what a job of that type has to give."""
    column = coerce_output(output, result_type, rows)
    if result_type.kind != "struct":
        return column.to_pylist()
    return {name: values.to_pylist() for (name, _), values in zip(result_type.fields, column.flatten(), strict=True)}


def concise(error: BaseException) -> str:
    """What an error of Spark says, without the stacks of two languages: our own text in it, else what Python raised in
    the worker, else its first line.

    >>> concise(ValueError("Job aborted: ... [ROW_COUNT] The model gave 1 predictions for 2 rows.\\n\\tat org.…"))
    '[ROW_COUNT] The model gave 1 predictions for 2 rows.'
    """
    text = str(error)
    own = [match for match in _OWN_ERROR.findall(text) if _is_own(match)]
    if own != []:
        return str(own[-1])
    raised = _RAISED.findall(text)
    if raised != []:
        return str(raised[-1])
    lines = [line.strip() for line in text.splitlines() if line.strip() != ""]
    return f"{type(error).__name__}: {lines[0] if lines != [] else 'without a text'}"


def _is_own(text: str) -> bool:
    from spark_models import errors

    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}
    return text[1 : text.index("]")] in codes
