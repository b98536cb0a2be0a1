"""How the arguments of a UDF call are bound: each row of the table in `scoring.arguments.bind_arguments`."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql.functions import col, lit, struct

from spark_models import errors
from spark_models.models import ModelSignature
from spark_models.types.schema import ColSpec, Schema

MIXED = {"a": "long", "b": "double", "c": "string"}
DOUBLES = {"a": "double", "b": "double", "c": "double"}


def told(frame: Any) -> list[str]:
    """Each row as the model got it: the columns' names and values, in their order."""
    names = list(frame.columns)
    return [", ".join(f"{name}={row[at]}" for at, name in enumerate(names)) for row in frame.itertuples(index=False)]


@pytest.fixture(scope="module")
def table(spark: Any) -> Any:
    rows = "(10L, 1.5D, 'x', 7, 0.5D), (20L, 2.5D, 'y', 8, 0.25D)"
    return spark.sql(f"select * from values {rows} t(a, b, c, extra, more)").coalesce(1)


@pytest.fixture(scope="module")
def doubles(spark: Any) -> Any:
    return spark.sql("select * from values (1.5D, 2.5D, 3.5D, 9.5D) t(a, b, c, extra)")


@pytest.fixture(scope="module")
def mixed_model(save: Any) -> Any:
    return save(told, MIXED)


@pytest.fixture(scope="module")
def doubles_model(save: Any) -> Any:
    return save(told, DOUBLES)


@pytest.fixture(scope="module")
def bare_model(save: Any) -> Any:
    return save(told)


def answers(table: Any, predicted: Any) -> list[str]:
    return [row[0] for row in table.select(predicted).collect()]


TOLD = ["a=10, b=1.5, c=x", "a=20, b=2.5, c=y"]


# --- by the signature's names


def test_no_arguments_take_the_signatures_names(udf: Any, table: Any, mixed_model: Any) -> None:
    assert answers(table.select("extra", "c", "b", "a"), udf(mixed_model)()) == TOLD


def test_no_arguments_on_a_table_without_a_column_fail_before_any_job(udf: Any, table: Any, mixed_model: Any) -> None:
    with pytest.raises(AnalysisException, match="`c`"):
        table.drop("c").select(udf(mixed_model)())


def test_no_arguments_without_signature(udf: Any, bare_model: Any) -> None:
    with pytest.raises(errors.NoSignatureError) as caught:
        udf(bare_model)()
    assert str(caught.value) == (
        "[NO_SIGNATURE] The UDF was called without columns, and the model has no signature that names any.\n"
        f"Where: {bare_model.uri}\n"
        "Hint: call it with columns, predict('a', 'b') or predict(struct('a', 'b')), or save it with a signature"
    )


@pytest.mark.parametrize("names", [["a", "b", "c"], ["c", "a", "b"], ["extra", "b", "more", "a", "c"]])
def test_strings_bind_by_name_in_any_order_and_extra_ones_are_ignored(
    udf: Any, table: Any, mixed_model: Any, names: list[str]
) -> None:
    assert answers(table, udf(mixed_model)(*names)) == TOLD


def test_all_missing_names_are_said_at_once(udf: Any, mixed_model: Any) -> None:
    with pytest.raises(errors.MissingColumnsError) as caught:
        udf(mixed_model)("B", "extra", "a")
    assert str(caught.value) == (
        "[MISSING_COLUMNS] Model is missing inputs ['b', 'c'].\n"
        f"Where: inputs of the signature of {mixed_model.uri} (3 inputs); the input has ['B', 'extra', 'a'].\n"
        "Hint: rename 'B' to 'b'"
    )


def test_a_name_given_twice(udf: Any, mixed_model: Any) -> None:
    with pytest.raises(errors.DuplicateColumnsError, match=re.escape("['a']")):
        udf(mixed_model)("a", "b", "a", "c")


# --- one struct


@pytest.mark.parametrize("fields", [["a", "b", "c"], ["c", "b", "a"], ["more", "c", "a", "extra", "b"]])
def test_a_written_struct_binds_its_fields_by_name(udf: Any, table: Any, mixed_model: Any, fields: list[str]) -> None:
    assert answers(table, udf(mixed_model)(struct(*fields))) == TOLD


def test_a_written_struct_without_inputs_says_all_of_them(udf: Any, mixed_model: Any) -> None:
    with pytest.raises(errors.MissingColumnsError, match=re.escape("missing inputs ['a', 'c']")):
        udf(mixed_model)(struct("b", "extra"))


def test_a_written_struct_with_aliases_binds_by_them(udf: Any, table: Any, mixed_model: Any) -> None:
    fields = struct(col("b").alias("b"), lit("z").alias("c"), (col("a") + 1).alias("a"))
    assert answers(table, udf(mixed_model)(fields)) == ["a=11, b=1.5, c=z", "a=21, b=2.5, c=z"]


def test_a_struct_column_of_the_table(udf: Any, table: Any, mixed_model: Any) -> None:
    nested = table.select(struct("c", "extra", "b", "a").alias("s"))
    assert answers(nested, udf(mixed_model)(col("s"))) == TOLD


def test_a_struct_column_of_the_table_without_an_input(udf: Any, table: Any, mixed_model: Any) -> None:
    nested = table.select(struct("c", "b").alias("s"))
    with pytest.raises(AnalysisException, match="No such struct field `a`"):
        nested.select(udf(mixed_model)(col("s")))


def test_a_struct_of_all_columns(udf: Any, table: Any, mixed_model: Any) -> None:
    assert answers(table, udf(mixed_model)(struct("*"))) == TOLD


def test_a_struct_for_a_single_input(udf: Any, table: Any, save: Any) -> None:
    assert answers(table, udf(save(told, {"b": "double"}))(struct("a", "b"))) == ["b=1.5", "b=2.5"]


@pytest.mark.parametrize("arguments", [("s", "s"), ("s", "a"), ("a", "s")], ids=" ".join)
@pytest.mark.parametrize("model", ["mixed_model", "bare_model"])
def test_a_struct_stands_alone(udf: Any, request: Any, arguments: tuple[str, ...], model: str) -> None:
    columns = [struct("a", "b") if name == "s" else col(name) for name in arguments]
    with pytest.raises(errors.StructNotAloneError) as caught:
        udf(request.getfixturevalue(model))(*columns)
    assert str(caught.value) == (
        "[STRUCT_NOT_ALONE] A struct must be the only argument; 2 were given.\n"
        "Hint: put every column into the struct, or give every column by itself"
    )


def test_a_struct_column_of_the_table_beside_another_one(udf: Any, table: Any, save: Any, failure: Any) -> None:
    """Nothing on the driver says that `s` is a struct: the worker does, before the model is called."""
    nested = table.select(struct("a", "b").alias("s"), "c")
    model = save(told)
    assert "[STRUCT_NOT_ALONE]" in failure(nested.select(udf(model)(col("s"), col("c"))))
    assert model.calls() == []


# --- columns, by position


def test_columns_bind_by_position(udf: Any, table: Any, mixed_model: Any) -> None:
    assert answers(table, udf(mixed_model)(col("a") * 2, col("more"), lit("z"))) == [
        "a=20, b=0.5, c=z",
        "a=40, b=0.25, c=z",
    ]


def test_columns_under_the_signatures_names_in_its_order(udf: Any, table: Any, mixed_model: Any) -> None:
    assert answers(table, udf(mixed_model)(col("a"), col("b"), col("c"))) == TOLD


def test_a_string_among_columns_is_a_column(udf: Any, table: Any, mixed_model: Any) -> None:
    assert answers(table, udf(mixed_model)("a", col("b"), "c")) == TOLD


def test_columns_under_the_signatures_names_in_another_order(udf: Any, mixed_model: Any) -> None:
    with pytest.raises(errors.AmbiguousBindingError) as caught:
        udf(mixed_model)(col("b"), col("a"), col("c"))
    assert str(caught.value) == (
        "[AMBIGUOUS_BINDING] The columns are given by position, and their names say another order.\n"
        "Where: the signature has ['a', 'b', 'c']; the call has ['b', 'a', 'c'].\n"
        "Hint: give names as text to bind by name, or columns in the signature's order"
    )


def test_an_alias_is_the_name_of_a_column(udf: Any, table: Any, mixed_model: Any) -> None:
    aliased = [col("a").alias("a"), col("more").alias("b"), lit("z").alias("c")]
    assert answers(table, udf(mixed_model)(*aliased)) == ["a=10, b=0.5, c=z", "a=20, b=0.25, c=z"]
    with pytest.raises(errors.AmbiguousBindingError):
        udf(mixed_model)(col("extra").alias("a"), lit("z").alias("c"), col("more").alias("b"))


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c", "extra"]])
def test_another_number_of_columns(udf: Any, mixed_model: Any, names: list[str]) -> None:
    with pytest.raises(errors.ColumnCountError) as caught:
        udf(mixed_model)(*[col(name) for name in names])
    assert str(caught.value) == (
        f"[COLUMN_COUNT] Model takes exactly 3 inputs by position; got {len(names)}.\n"
        f"Where: the signature has ['a', 'b', 'c']; the input has {names}."
    )


def test_one_column_of_several_inputs(udf: Any, mixed_model: Any) -> None:
    with pytest.raises(errors.ColumnCountError, match="exactly 3 inputs by position; got 1"):
        udf(mixed_model)(col("a"))


def test_a_single_input_takes_a_column_of_any_name(udf: Any, table: Any, save: Any) -> None:
    assert answers(table, udf(save(told, {"x": "double"}))(col("more"))) == ["x=0.5", "x=0.25"]


# --- names that Spark's parser would take apart

ODD = {"a.b": "double", "two words": "double", "tick`ed": "double", "ümlaut": "double"}


@pytest.mark.parametrize("form", ["none", "strings", "struct", "columns", "struct column"])
def test_names_with_dots_spaces_and_backticks(udf: Any, spark: Any, save: Any, form: str) -> None:
    model = save(told, ODD)
    table = spark.createDataFrame([(1.0, 2.0, 3.0, 4.0)], list(ODD))
    quoted = ["`" + name.replace("`", "``") + "`" for name in ODD]
    predict = udf(model)
    if form == "struct column":
        table = table.select(struct(*quoted).alias("s"))
    calls = {
        "none": lambda: predict(),
        "strings": lambda: predict(*reversed(ODD)),
        "struct": lambda: predict(struct(*reversed(quoted))),
        "columns": lambda: predict(*[col(name) for name in quoted]),
        "struct column": lambda: predict(col("s")),
    }
    assert answers(table, calls[form]()) == ["a.b=1.0, two words=2.0, tick`ed=3.0, ümlaut=4.0"]


# --- all inputs are doubles: one packed array where Spark has Arrow UDFs


@pytest.mark.parametrize("form", ["none", "strings", "struct", "columns"])
def test_doubles_bind_alike(udf: Any, doubles: Any, doubles_model: Any, form: str) -> None:
    predict = udf(doubles_model)
    calls = {
        "none": lambda: predict(),
        "strings": lambda: predict("extra", "c", "b", "a"),
        "struct": lambda: predict(struct("extra", "c", "b", "a")),
        "columns": lambda: predict(col("a"), col("b"), col("c")),
    }
    assert answers(doubles, calls[form]()) == ["a=1.5, b=2.5, c=3.5"]


# --- optional inputs

OPTIONAL = {"a": "long", "b": ColSpec("double", "b", False), "c": "string"}


def test_an_optional_input_may_be_absent_by_name(udf: Any, table: Any, save: Any) -> None:
    model = save(told, OPTIONAL)
    assert answers(table, udf(model)("c", "a")) == ["a=10, c=x", "a=20, c=y"]
    assert answers(table, udf(model)(struct("c", "a"))) == ["a=10, c=x", "a=20, c=y"]
    assert answers(table, udf(model)("c", "b", "a")) == TOLD


def test_an_optional_input_counts_by_position(udf: Any, save: Any) -> None:
    with pytest.raises(errors.ColumnCountError):
        udf(save(told, OPTIONAL))(col("a"), col("c"))


def test_an_optional_double_may_be_absent_of_the_packed_ones(udf: Any, doubles: Any, save: Any) -> None:
    model = save(told, {"a": "double", "b": ColSpec("double", "b", False), "c": "double"})
    assert answers(doubles, udf(model)("a", "c")) == ["a=1.5, c=3.5"]


# --- without signature, and with one without names


def test_without_signature_columns_are_numbered(udf: Any, table: Any, bare_model: Any) -> None:
    assert answers(table, udf(bare_model)("c", col("a"))) == ["0=x, 1=10", "0=y, 1=20"]


def test_without_signature_a_struct_keeps_its_names(udf: Any, table: Any, bare_model: Any) -> None:
    assert answers(table, udf(bare_model)(struct("c", "a"))) == ["c=x, a=10", "c=y, a=20"]


def test_without_signature_a_struct_column_keeps_its_names(udf: Any, table: Any, bare_model: Any) -> None:
    nested = table.select(struct("c", "a").alias("s"))
    assert answers(nested, udf(bare_model)("s")) == ["c=x, a=10", "c=y, a=20"]


UNNAMED = ModelSignature(Schema([ColSpec("long"), ColSpec("double")]))


@pytest.mark.parametrize("as_columns", [False, True])
def test_a_signature_without_names_binds_by_position(udf: Any, table: Any, save: Any, as_columns: bool) -> None:
    names = ["a", "more"]
    arguments = [col(name) for name in names] if as_columns else names
    assert answers(table, udf(save(told, signature=UNNAMED))(*arguments)) == ["0=10, 1=0.5", "0=20, 1=0.25"]


def test_a_signature_without_names_needs_the_exact_number(udf: Any, save: Any) -> None:
    with pytest.raises(errors.ColumnCountError) as caught:
        udf(save(told, signature=UNNAMED))("a", "b", "c")
    assert str(caught.value) == (
        "[COLUMN_COUNT] Model takes exactly 2 inputs by position; got 3.\nWhere: the input has ['a', 'b', 'c']."
    )


def test_a_signature_without_names_and_no_arguments(udf: Any, save: Any) -> None:
    with pytest.raises(errors.NoSignatureError):
        udf(save(told, signature=UNNAMED))()


# --- in SQL


def test_registered_in_either_way(spark: Any, udf: Any, table: Any, mixed_model: Any) -> None:
    predict = udf(mixed_model)
    spark.udf.register("predict_one", predict)
    predict.register(spark, "predict_two")
    table.createOrReplaceTempView("rows_to_score")
    for name in ("predict_one", "predict_two"):
        found = spark.sql(f"select {name}(a, b, c) from rows_to_score").collect()
        assert [row[0] for row in found] == TOLD


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("(a, b)", "[COLUMN_COUNT] Model takes exactly 3 inputs by position; got 2."),
        ("(a, b, c, extra)", "[COLUMN_COUNT] Model takes exactly 3 inputs by position; got 4."),
        ("(b, a, c)", "[INVALID_INPUT] 2 problems with the input."),
        ("(a, a, c)", "[COLUMN_TYPE] Column 'b' is int64; double (float64) is expected"),
        ("(a, b, a)", "[COLUMN_TYPE] Column 'c' is int64; string is expected"),
    ],
)
def test_in_sql_the_worker_checks_before_the_model_is_called(
    spark: Any, udf: Any, table: Any, save: Any, failure: Any, call: str, text: str
) -> None:
    model = save(told, MIXED)
    udf(model).register(spark, "predict_checked")
    table.createOrReplaceTempView("rows_to_check")
    assert text in failure(spark.sql(f"select predict_checked{call} from rows_to_check"))
    assert model.calls() == []


@pytest.mark.parametrize("inputs", [None, {"x": "double"}, {"x": "double", "y": "double"}])
def test_in_sql_a_vector_is_refused_as_well(
    spark: Any, udf: Any, save: Any, failure: Any, inputs: dict[str, str] | None
) -> None:
    from pyspark.ml.linalg import Vectors

    model = save(told, inputs)
    udf(model).register(spark, "predict_vector")
    spark.createDataFrame([(Vectors.dense([1.0, 2.0]), 1.0)], ["v", "x"]).createOrReplaceTempView("vectors")
    call = "x, v" if inputs is not None and len(inputs) == 2 else "v"
    assert "[VECTOR_COLUMN]" in failure(spark.sql(f"select predict_vector({call}) from vectors"))
    assert model.calls() == []


def test_the_column_is_named_prediction(udf: Any, table: Any, mixed_model: Any) -> None:
    assert table.select(udf(mixed_model)()).columns == ["prediction"]
    assert table.withColumn("p", udf(mixed_model)()).columns[-1] == "p"
