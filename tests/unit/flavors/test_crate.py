"""R functions: what R gets for each kind of column, what comes back for each kind of value, and how it ends."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models
from spark_models.errors import (
    CodeNotAllowedError,
    InvalidPackageError,
    MissingColumnsError,
    MissingProgramError,
    RProcessEndedError,
    UnsupportedInputError,
)
from spark_models.flavors.crate import RError
from spark_models.models import Model, ModelSignature
from spark_models.types.schema import ColSpec, Schema

pytestmark = pytest.mark.needs("r")

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Saves an R expression as MLflow's R package does: serialized, and that by saveRDS."""

    def saved(function: str, signature: ModelSignature | None = None, *, bare: bool = False) -> Path:
        root = tmp_path / f"crate-{len(list(tmp_path.iterdir()))}"
        root.mkdir()
        written = f"x <- {function}; saveRDS({'x' if bare else 'serialize(x, NULL)'}, commandArgs(TRUE)[[1]])"
        subprocess.run(["Rscript", "-e", written, str(root / "crate.bin")], check=True)
        model = Model(signature=signature)
        model.add_flavor("crate", version="0.1.0", model="crate.bin")
        model.save(root / "MLmodel")
        return root

    return saved


def load(path: Path) -> Any:
    return spark_models.pyfunc.load_model(str(path))


def test_it_scores_a_fitted_model_as_r_does(save: Save) -> None:
    fitted = "local({fit <- stats::lm(mpg ~ wt + hp, datasets::mtcars); function(d) stats::predict(fit, d)})"
    frame = pd.DataFrame({"wt": [2.62, 3.0], "hp": [110.0, 150.0]})
    found = load(save(fitted)).predict(frame)
    said = subprocess.run(
        ["Rscript", "-e", f"f <- {fitted}; cat(sprintf('%a', f(data.frame(wt = c(2.62, 3), hp = c(110, 150)))))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.tolist() == [float.fromhex(value) for value in said.stdout.split()]


@pytest.mark.parametrize("bare", [True, False])
def test_a_function_is_read_bare_or_serialized(save: Save, bare: bool) -> None:
    assert load(save("function(d) d$x * 2", bare=bare)).predict(pd.DataFrame({"x": [1.5]})).tolist() == [3.0]


COLUMNS = [
    (pd.Series([1.5, None, 1 / 3]), "numeric", ["1.5", "NA", "0x1.5555555555555p-2"]),
    (pd.Series([1, -7], dtype="int32"), "integer", ["1", "-7"]),
    (pd.Series([1, None], dtype="Int16"), "integer", ["1", "NA"]),
    (pd.Series([-(2**31)], dtype="int32"), "numeric", ["-2147483648"]),
    (pd.Series([2**53]), "numeric", ["9007199254740992"]),
    (pd.Series([2**40, None], dtype="Int64"), "numeric", ["1099511627776", "NA"]),
    (pd.Series([True, False]), "logical", ["TRUE", "FALSE"]),
    (pd.Series([True, None], dtype="boolean"), "logical", ["TRUE", "NA"]),
    (pd.Series([True, None], dtype=object), "logical", ["TRUE", "NA"]),
    (pd.Series(["é\n", None, ""]), "character", ["é\n", "NA", ""]),
    (pd.Series(["b", "a"], dtype="category"), "character", ["b", "a"]),
    (pd.Series([None, None], dtype=object), "character", ["NA", "NA"]),
    (pd.to_datetime(pd.Series(["2020-02-29T12:30:00", None])), "POSIXct/POSIXt", ["2020-02-29 12:30:00", "NA"]),
    (pd.Series(pd.to_datetime(["2020-01-01T01:00:00+01:00"])), "POSIXct/POSIXt", ["2020-01-01"]),
    (pd.Series([datetime.date(2020, 2, 29), None]), "Date", ["2020-02-29", "NA"]),
]


def test_each_kind_of_column_is_one_of_r(save: Save) -> None:
    shown = """function(d) list(kind = paste(class(d[[1]]), collapse = "/"), values = as.list(
        if (is.numeric(d[[1]])) ifelse(is.na(d[[1]]), "NA", ifelse(d[[1]] == round(d[[1]] * 2) / 2,
        format(d[[1]], digits = 16, trim = TRUE, scientific = FALSE, drop0trailing = TRUE), sprintf("%a", d[[1]])))
        else ifelse(is.na(d[[1]]), "NA", as.character(d[[1]]))), name = names(d))"""
    model = load(save(shown))
    for column, kind, values in COLUMNS:
        found = model.predict(pd.DataFrame({"ñ o": column}))
        assert found == {"kind": kind, "values": values, "name": "ñ o"}


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pd.Series([2**53 + 1]), "column 'x' of integers beyond 2**53"),
        (pd.Series([b"raw"]), "column 'x' of bytes values"),
        (pd.Series([[1.0]]), "column 'x' of mixed values"),
        (pd.Series(["a\0b"]), "a zero byte in column 'x'"),
    ],
)
def test_what_r_has_no_form_for_is_refused(save: Save, column: pd.Series[Any], said: str) -> None:
    with pytest.raises(UnsupportedInputError, match=said.replace("*", r"\*")):
        load(save("function(d) 1")).predict(pd.DataFrame({"x": column}))


VALUES = [
    ("c(1.5, NA)", "[1.5,null]"),
    ("c(1L, NA)", "[1,null]"),
    ("c(TRUE, NA)", "[true,null]"),
    ("c('ä', NA)", '["ä",null]'),
    ("factor(c('b', 'a'))", '["b","a"]'),
    ("as.Date('2020-02-29')", '["2020-02-29"]'),
    ("NULL", "null"),
    ("matrix(1:6, 2)", "[[1,3,5],[2,4,6]]"),
    ("matrix(c(0.5, 1), 1, dimnames = list(NULL, c('no', 'yes')))", '[{"no":0.5,"yes":1.0}]'),
    ("data.frame(a = 1:2, b = c('x', NA))", '[{"a":1,"b":"x"},{"a":2,"b":null}]'),
    ("data.frame(`a b` = numeric(), check.names = FALSE)", "[]"),
    ("data.frame(x = I(list(1:2, 'y')))", '[{"x":[1,2]},{"x":"y"}]'),
    ("list(1, 'a', NULL, c(1, 2))", '[1.0,"a",null,[1.0,2.0]]'),
    ("list(list('a'), list())", '[["a"],[]]'),
    ("list(a = 1L, b = list(c = TRUE))", '{"a":1,"b":{"c":true}}'),
    ("setNames(c(1, 2), c('row 1', 'row 2'))", "[1.0,2.0]"),
    ("character()", "[]"),
]


def test_each_kind_of_value_is_one_of_ours(save: Save) -> None:
    from spark_models.serve.answers import encode_answer

    branches = ", ".join(f"`{at}` = {text}" for at, (text, _) in enumerate(VALUES))
    model = load(save(f"function(d) switch(as.character(d$x), {branches})"))
    for at, (_, expected) in enumerate(VALUES):
        assert encode_answer(model.predict(pd.DataFrame({"x": [at]}))).decode() == expected


def test_an_instant_comes_back_as_one(save: Save) -> None:
    found = load(save("function(d) d")).predict(pd.DataFrame({"at": pd.to_datetime(["2020-02-29T12:30:00.25", None])}))
    assert found["at"].tolist() == [pd.Timestamp("2020-02-29T12:30:00.25"), pd.NaT]


WRITTEN_BY_R = """flavors:
  crate:
    version: 0.1.0
    model: crate.bin
utc_time_created: 18-10-17T21:32:50.50.28
run_id: 4d55d1d1
"""


def test_a_package_as_mlflows_r_writes_it(save: Save) -> None:
    path = save("function(d) d$x")
    (path / "MLmodel").write_text(WRITTEN_BY_R)
    model = load(path)
    assert model.metadata.time_created == datetime.datetime(2018, 10, 17, 21, 32, 50, 280_000)
    assert model.predict(pd.DataFrame({"x": [1.5]})).tolist() == [1.5]


def test_its_error_is_the_models_and_the_next_call_is_answered(save: Save) -> None:
    model = load(save("function(d) { cat('printed'); if (d$x[1] < 0) stop('too small: ', d$x[1]); d$x }"))
    with pytest.raises(RError, match="too small: -1"):
        model.predict(pd.DataFrame({"x": [-1.0]}))
    assert model.predict(pd.DataFrame({"x": [1.0]})).tolist() == [1.0]


@pytest.mark.parametrize("value", ["sum", "quote(x + 1)", "1i", "as.raw(1)", "list(1, sum)"])
def test_a_value_that_is_no_data_is_refused_and_named(save: Save, value: str) -> None:
    model = load(save(f"function(d) if (nrow(d) == 1) {value} else 7"))
    with pytest.raises(RError, match=r"gives a data\.frame, matrix, vector or list of them, and this one gives"):
        model.predict(pd.DataFrame({"x": [1.0]}))
    assert model.predict(pd.DataFrame({"x": [1.0, 2.0]})).tolist() == [7.0]


def test_that_its_process_ends_is_reported_and_the_next_call_starts_another(save: Save) -> None:
    model = load(save("function(d) if (d$x[1] < 0) tools::pskill(Sys.getpid(), 9) else d$x"))
    with pytest.raises(RProcessEndedError, match="ended by SIGKILL"):
        model.predict(pd.DataFrame({"x": [-1.0]}))
    assert model.predict(pd.DataFrame({"x": [1.0]})).tolist() == [1.0]
    os.kill(model._predictor.loaded._process._popen.pid, signal.SIGKILL)
    model._predictor.loaded._process._popen.wait()
    assert model.predict(pd.DataFrame({"x": [2.0]})).tolist() == [2.0]
    with pytest.raises(RProcessEndedError, match="ended with status 3"):
        load(save("function(d) quit(status = 3)")).predict(pd.DataFrame({"x": [1.0]}))


def test_its_process_ends_with_the_model(save: Save) -> None:
    model = load(save("function(d) d$x"))
    pid = model._predictor.loaded._process._popen.pid
    del model
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_signature_is_kept(save: Save) -> None:
    signature = ModelSignature(Schema([ColSpec("double", "b"), ColSpec("string", "a")]))
    model = load(save("function(d) paste(names(d), collapse = ' ')", signature))
    assert model.predict(pd.DataFrame({"a": ["x"], "c": [1], "b": [1.0]})) == ["b a"]
    with pytest.raises(MissingColumnsError):
        model.predict(pd.DataFrame({"b": [1.0]}))


def test_without_r_the_error_says_what_to_install(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save("function(d) 1")
    monkeypatch.setenv("SPARK_MODELS_RSCRIPT", "/nowhere/Rscript")
    with pytest.raises(MissingProgramError, match=r"apt-get install r-base-core"):
        load(path)


def test_a_file_that_is_no_function_is_refused(save: Save) -> None:
    with pytest.raises(InvalidPackageError, match="the file holds no function, but numeric"):
        load(save("7"))
    path = save("function(d) 1")
    (path / "crate.bin").write_bytes(b"no RDS")
    with pytest.raises(InvalidPackageError, match="R can't load its function"):
        load(path)


def test_it_is_code_and_may_be_refused(save: Save) -> None:
    path = save("function(d) 1")
    with pytest.raises(CodeNotAllowedError, match="its model is an R function"):
        spark_models.pyfunc.load_model(str(path), allow_code=False)


def test_the_command_scores_a_file_with_it(save: Save, tmp_path: Path) -> None:
    path = save("function(d) { print('noise'); data.frame(twice = d$x * 2) }")
    (tmp_path / "rows.csv").write_text("x\n1\n2.5\n")
    command = ["spark_models", "predict", "-m", str(path), "-i", str(tmp_path / "rows.csv")]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [{"twice": 2.0}, {"twice": 5.0}]


def test_a_large_table_goes_through_whole(save: Save) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100_000, 5)), columns=list("abcde"))
    found = load(save("function(d) d[rev(names(d))]")).predict(frame)
    pd.testing.assert_frame_equal(found, frame[list("edcba")])
