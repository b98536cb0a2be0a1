"""`spark_udf`: a model as a Spark UDF."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from spark_models.coerce.result_type import ResultType, parse_result_type, signature_result_type
from spark_models.errors import InvalidArgumentError, NoSparkSessionError
from spark_models.flavors.capabilities import split_invariant, takes_matrix, tensor_rows
from spark_models.package.audit import refuse_code
from spark_models.package.reader import Package, open_package
from spark_models.pyfunc.loading import bind_params
from spark_models.schema.schema import Schema
from spark_models.scoring.accumulator import stats_accumulator
from spark_models.scoring.arguments import bind_arguments, doubles_array
from spark_models.scoring.isolation.delivery import place_environment
from spark_models.scoring.isolation.environments import check_manager
from spark_models.scoring.place import place
from spark_models.scoring.plan import BindPlan, plan_for
from spark_models.scoring.scorer import BatchScorer
from spark_models.scoring.stats import ScoreStats
from spark_models.scoring.transports import choose_transport, make_udf


def spark_udf(
    spark: Any = None,
    model_uri: Any = None,
    result_type: Any = None,
    *,
    method: str | None = None,
    params: Mapping[str, Any] | None = None,
    on_error: str = "fail",
    batch_rows: int | None = None,
    batch_bytes: int | None = None,
    allow_code: bool | None = None,
    expected_hash: str | None = None,
    transport: str | None = None,
    env_manager: str = "local",
) -> ScoringUdf:
    """A UDF that scores rows with the model at `model_uri`.

    Both `spark_udf(model_uri, result_type=…)`, which takes the active session, and `spark_udf(spark, model_uri, …)`
    work. The UDF is called without arguments (columns by the signature's names), with column names, with columns, or
    with one struct; `bind_arguments` says how each is bound.

    `result_type` is a name, a DDL string, a pyspark type, or "signature" for the signature's outputs; the default is
    double, the leftmost numeric output. `coerce_output` says which output it takes. `method` scores by another method
    of the model, as "predict_proba". `on_error="null"` gives null for rows that the model can't score. `batch_rows` and
    `batch_bytes` bound what the model gets in one call; a model of tensors gets as many rows as its flavor says, and no
    more than 64 MiB of them, unless these say otherwise. `transport` is "arrow" or "pandas", by default the better one.

    `env_manager` "virtualenv" or "uv" builds the package's environment now, once, and the model runs in it: in one
    process beside each Python worker, with the package's own Python and libraries. "local" runs it in the workers.

    The package is copied and hashed now: what is changed at its URI later does not reach the job.

    Raises:
        NoSparkSessionError: [NO_SPARK_SESSION] no session is given and none is active.
        UnsupportedResultTypeError: [UNSUPPORTED_RESULT_TYPE] the result type is of no known form.
        EnvironmentNotBuiltError: [ENVIRONMENT_NOT_BUILT] the package's environment can't be built here.
        ModelNotFoundError, NotAModelError, ManifestMismatchError, CodeNotAllowedError: as `load_model`.
    """
    session, uri, kind = _arguments(spark, model_uri, result_type)
    check_manager(env_manager)
    _check_options(on_error, batch_rows, batch_bytes)
    package = open_package(uri)
    conf = package.pyfunc
    wanted = _result_type(kind, package)
    refuse_code(package, allow_code)
    bound = bind_params(package.model.signature, params) if params is not None else None
    zone = str(session.conf.get("spark.sql.session.timeZone"))
    ref = place(session, package, expected_hash)
    environment = None
    if env_manager != "local":
        # Made from the copy, whose bytes were hashed.
        environment = place_environment(session, open_package(ref.driver_root), env_manager, allow_code)
    rows, size = _bounds(package, batch_rows, batch_bytes)
    scorer = BatchScorer(
        package=ref,
        plan=BindPlan(),
        result_type=wanted.in_zone(zone),
        method=method,
        params=() if bound is None else tuple(sorted(bound.items())),
        timezone=zone,
        batch_rows=rows,
        batch_bytes=size,
        on_error=on_error,
        splittable=split_invariant(package.model),
        accumulator=stats_accumulator(session),
        environment=environment,
    )
    matrix = takes_matrix(conf, method)
    return ScoringUdf(scorer, str(uri), _inputs(package), matrix, choose_transport(transport))


@dataclass(frozen=True)
class ScoringUdf:
    """A UDF over a model; calling it with columns gives the prediction column.

    It can also be registered for SQL: `spark.udf.register("predict", udf)` or `udf.register(spark, "predict")`; there
    the columns are bound by position.
    """

    scorer: BatchScorer
    uri: str
    schema: Schema | None
    matrix: bool
    transport: str

    def __call__(self, *columns: Any) -> Any:
        """The prediction column, named "prediction", for columns bound as `bind_arguments` says."""
        bound = bind_arguments(columns, self.schema, self.uri)
        scorer, sent = self._sent(bound.found, bound.doubles_array, bound.guarded)
        return make_udf(scorer, self.transport)(*sent).alias("prediction")

    @property
    def result_type(self) -> ResultType:
        """The type of the prediction column."""
        return self.scorer.result_type

    @property
    def stats(self) -> ScoreStats:
        """What this UDF's jobs have cost so far; a task that Spark runs again counts again.

        Raises:
            InvalidArgumentError: [INVALID_ARGUMENT] the session has no SparkContext, as with Spark Connect.
        """
        if self.scorer.accumulator is None:
            advice = "with Spark Connect, score(df, …, stats=StatsObservation()) observes them"
            raise InvalidArgumentError("A UDF has stats only where there is a SparkContext", advice)
        value: ScoreStats = self.scorer.accumulator.value
        return value

    def of_inputs(self, columns: list[Any], found: list[object]) -> Any:
        """The prediction column for columns, their types known to fit, that are the inputs `found`, in schema order."""
        scorer, columns = self.sent(columns, found)
        return make_udf(scorer, self.transport)(*columns)

    def sent(self, columns: list[Any], found: list[object]) -> tuple[BatchScorer, list[Any]]:
        """The scorer for these inputs, and the columns to send it: doubles as one array where Arrow carries them.

        One array column costs the JVM and the worker less than its columns one by one: benchmarks/udf.py.
        """
        return self._sent(found, lambda: doubles_array(columns), lambda: columns)

    def _sent(
        self, found: list[object], as_array: Callable[[], Any], each: Callable[[], list[Any]]
    ) -> tuple[BatchScorer, list[Any]]:
        plan = replace(plan_for(self.schema, found, self.matrix), guarded=True)
        if self.transport != "pandas" and plan.doubles and len(plan.specs) > 1:
            return replace(self.scorer, plan=replace(plan, packed=True)), [as_array()]
        return replace(self.scorer, plan=plan), each()

    def register(self, spark: Any, name: str) -> Any:
        """Registers the model as the SQL function `name`, its arguments bound by position."""
        return spark.udf.register(name, self._by_position)

    @cached_property
    def _by_position(self) -> Any:
        names = [] if self.schema is None else self.schema.input_names()
        return make_udf(replace(self.scorer, plan=plan_for(self.schema, names, self.matrix)), self.transport)

    # What `spark.udf.register` reads of a UDF.
    @property
    def func(self) -> Any:
        """The function that the workers run."""
        return self._by_position.func

    @property
    def returnType(self) -> Any:  # noqa: N802 - pyspark's name
        """The pyspark type of the prediction column."""
        return self._by_position.returnType

    @property
    def evalType(self) -> int:  # noqa: N802 - pyspark's name
        """pyspark's number of the kind of UDF."""
        return int(self._by_position.evalType)

    @property
    def deterministic(self) -> bool:
        """Whether Spark may call the model again for the same rows."""
        return True

    def asNondeterministic(self) -> Any:  # noqa: N802 - pyspark's name
        """The pyspark UDF, marked as not deterministic."""
        return self._by_position.asNondeterministic()


ON_ERROR = ("fail", "null")
TENSOR_BYTES = 64 << 20
"""Most bytes of tensors that a network gets at once: what its layers hold is many times that."""


def _bounds(package: Package, batch_rows: int | None, batch_bytes: int | None) -> tuple[int | None, int | None]:
    """The bounds of a call of the model: the caller's, else those of a model of tensors."""
    if batch_rows is not None or batch_bytes is not None:
        return batch_rows, batch_bytes
    rows = tensor_rows(package.model)
    return rows, None if rows is None else TENSOR_BYTES


def _check_options(on_error: str, batch_rows: int | None, batch_bytes: int | None) -> None:
    if on_error not in ON_ERROR:
        advice = f"choose one of {list(ON_ERROR)}; score(df, …) also takes 'quarantine'"
        raise InvalidArgumentError(f"on_error={on_error!r} is unknown", advice)
    for name, bound in (("batch_rows", batch_rows), ("batch_bytes", batch_bytes)):
        if bound is not None and bound < 1:
            raise InvalidArgumentError(f"{name} must be at least 1, not {bound}")


def _arguments(spark: Any, model_uri: Any, result_type: Any) -> tuple[Any, Any, Any]:
    """The session, URI and result type of either form of the call."""
    if isinstance(spark, (str, os.PathLike)):
        if model_uri is not None and result_type is not None:
            raise InvalidArgumentError("spark_udf(model_uri, …) takes the URI once", "give result_type by its name")
        return active_session(), spark, model_uri if model_uri is not None else result_type
    if model_uri is None:
        raise InvalidArgumentError("spark_udf needs the URI of a model")
    return active_session() if spark is None else spark, model_uri, result_type


def active_session() -> Any:
    """The active Spark session, classic or Connect.

    Raises:
        NoSparkSessionError: [NO_SPARK_SESSION] there is none.
    """
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is None:
        raise NoSparkSessionError()
    return session


def _inputs(package: Package) -> Schema | None:
    schema = package.model.get_input_schema()
    return None if schema is None or len(schema) == 0 else schema


def _result_type(given: Any, package: Package) -> ResultType:
    if isinstance(given, str) and given.strip().lower() == "signature":
        return signature_result_type(package.model.get_output_schema())
    return parse_result_type("double" if given is None else given)
