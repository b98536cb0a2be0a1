"""The laws that every flavor keeps, and what a flavor tells of itself so that they can be tested.

A flavor, also one of another package, is brought under them by a list of cases and four lines:

    class TestMyFlavor(FlavorLaws):
        @pytest.fixture(scope="class", params=CASES, ids=str)
        @classmethod
        def case(cls, request):
            return request.param

The oracle of a case is the library's own call on a model that was never saved.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spark_models.pyfunc
from spark_models import errors
from spark_models.models import Model, ModelSignature
from spark_models.package.reader import open_package
from spark_models.schema.datatypes import DataType

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class FlavorCase:
    """A model of a flavor, and what is known of it without the package.

    | field | what |
    | --- | --- |
    | `save` | saves it at a path, with the keyword arguments of every flavor: signature, input_example, metadata, … |
    | `oracle` | the model's own answer to rows |
    | `data`, `signature` | some ten rows, of exactly the types of the signature, which also says the outputs |
    | `native` | loads the package in the library's own form and gives its answer; None where there is no such form |
    | `library` | modules that only loading may import |
    | `not_for_threads` | why one thread at a time scores the model; empty where that is not so |
    """

    name: str
    save: Callable[..., None]
    oracle: Callable[[Any], Any]
    data: Any
    signature: ModelSignature
    native: Callable[[Path, Any], Any] | None = None
    library: tuple[str, ...] = ()
    not_for_threads: str = ""

    def __str__(self) -> str:
        return self.name


class FlavorLaws:
    """The laws. `case` is the fixture that a subclass gives."""

    @pytest.fixture(scope="class")
    @classmethod
    def case(cls, request: pytest.FixtureRequest) -> FlavorCase:
        raise NotImplementedError("a subclass gives the cases")

    @pytest.fixture(scope="class")
    @classmethod
    def package(cls, case: FlavorCase, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The case's model, saved once with everything; no law changes it."""
        path = tmp_path_factory.mktemp("contract") / "model"
        case.save(path, signature=case.signature, input_example=head(case.data, 3), metadata={"owner": "contract"})
        return path

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, package: Path) -> spark_models.pyfunc.PyFuncModel:
        return spark_models.pyfunc.load_model(package)

    # --- saving

    def test_an_existing_path_is_refused_and_untouched(self, case: FlavorCase, tmp_path: Path) -> None:
        path = tmp_path / "model"
        path.mkdir()
        (path / "notes.txt").write_text("mine")
        with pytest.raises(errors.ModelPathExistsError):
            case.save(path)
        assert content(tmp_path) == {"model/notes.txt": b"mine"}

    def test_a_failed_save_leaves_nothing(self, case: FlavorCase, tmp_path: Path) -> None:
        with pytest.raises(errors.InvalidExampleError):
            case.save(tmp_path / "deep" / "model", input_example=object())
        with pytest.raises(errors.InvalidArgumentError):
            case.save(tmp_path / "deep" / "model", code_paths=[tmp_path / "absent.py"])
        with pytest.raises(errors.InvalidEnvironmentError):
            case.save(tmp_path / "deep" / "model", conda_env={}, pip_requirements=[])
        assert list(tmp_path.iterdir()) == []

    def test_an_empty_directory_is_filled(self, case: FlavorCase, tmp_path: Path) -> None:
        case.save(tmp_path)
        assert sorted(open_package(tmp_path).files()) == sorted({*content(tmp_path)} - {"manifest.sha256"})

    def test_an_example_that_does_not_fit_the_signature_is_refused(self, case: FlavorCase, tmp_path: Path) -> None:
        wrong = pd.DataFrame({"no such input": [1.0]})
        with pytest.raises(errors.InputError):
            case.save(tmp_path / "model", signature=case.signature, input_example=wrong)
        assert list(tmp_path.iterdir()) == []

    # --- opening

    def test_opening_imports_no_model_library_and_another_process_gives_the_same(
        self, case: FlavorCase, package: Path, model: spark_models.pyfunc.PyFuncModel, tmp_path: Path
    ) -> None:
        """In a process of its own and from another place: what the package needs is in it."""
        moved = tmp_path / "elsewhere" / "model"
        shutil.copytree(package, moved, ignore=shutil.ignore_patterns("__pycache__"))
        (tmp_path / "data").write_bytes(pickle.dumps(case.data))
        program = [sys.executable, str(Path(__file__).with_name("fresh_process.py")), str(moved), str(tmp_path)]
        done = subprocess.run(
            [*program, *case.library],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[0]) == {"imported by opening": []}
        assert_same(pickle.loads((tmp_path / "answer").read_bytes()), model.predict(case.data))

    def test_a_package_keeps_what_was_given(self, case: FlavorCase, package: Path) -> None:
        found = Model.load(package)
        assert found.signature == case.signature
        assert found.metadata == {"owner": "contract"}
        assert_same(found.load_input_example(package), head(case.data, 3))
        assert_same(found.load_example_predictions(package), case.oracle(head(case.data, 3)))
        assert "python_function" in found.flavors

    def test_a_rewritten_package_keeps_what_others_wrote(self, case: FlavorCase, package: Path, tmp_path: Path) -> None:
        copy = tmp_path / "model"
        shutil.copytree(package, copy)
        file = copy / "MLmodel"
        file.write_text(file.read_text() + "model_uuid: 0f3c\nself:\n  nested: [1, 2.5, null]\n")
        found = Model.load(copy)
        found.run_id = "a-run"
        found.save(copy)
        again = Model.load(copy)
        assert again == found
        assert (again.model_uuid, again.other["self"], again.run_id) == ("0f3c", {"nested": [1, 2.5, None]}, "a-run")
        assert (again.signature, again.flavors) == (case.signature, Model.load(package).flavors)
        # The manifest knows of the new MLmodel, and of nothing else.
        assert_same(spark_models.pyfunc.load_model(copy).predict(case.data), case.oracle(case.data))

    def test_one_flipped_byte_of_any_file_is_found(self, case: FlavorCase, package: Path, tmp_path: Path) -> None:
        names = [*open_package(package).files(), "manifest.sha256"]
        for name in names:
            copy = tmp_path / "model"
            shutil.copytree(package, copy)
            changed = bytearray((copy / name).read_bytes())
            changed[len(changed) // 2] ^= 1
            (copy / name).write_bytes(changed)
            with pytest.raises(errors.SparkModelsError) as caught:
                spark_models.pyfunc.load_model(copy)
            if name not in ("MLmodel", "manifest.sha256"):
                assert isinstance(caught.value, errors.ManifestMismatchError)
                assert caught.value.changed == (name,)
            shutil.rmtree(copy)

    # --- scoring

    def test_predictions_are_the_librarys_own(
        self, case: FlavorCase, package: Path, model: spark_models.pyfunc.PyFuncModel
    ) -> None:
        expected = case.oracle(case.data)
        assert_same(model.predict(case.data), expected)
        if case.native is not None:
            assert_same(case.native(package, case.data), expected)

    def test_a_model_without_signature_gets_what_was_given(self, case: FlavorCase, tmp_path: Path) -> None:
        case.save(tmp_path / "model")
        model = spark_models.pyfunc.load_model(tmp_path / "model")
        assert model.signature is None
        assert_same(model.predict(case.data), case.oracle(case.data))

    def test_the_parts_are_scored_as_the_whole(self, case: FlavorCase, model: spark_models.pyfunc.PyFuncModel) -> None:
        rows = count(case.data)
        whole = model.predict(case.data)
        for cut in range(1, rows):
            parts = [model.predict(part(case.data, 0, cut)), model.predict(part(case.data, cut, rows))]
            assert_same(joined(parts), whole)

    def test_a_batch_without_rows_has_a_result_without_rows(
        self, case: FlavorCase, model: spark_models.pyfunc.PyFuncModel
    ) -> None:
        """Where the library refuses it, the signature's outputs say what the result is."""
        found = model.predict(part(case.data, 0, 0))
        assert count(found) == 0
        assert_same(joined([found, model.predict(case.data)]), model.predict(case.data))

    def test_the_input_is_not_changed(self, case: FlavorCase, model: spark_models.pyfunc.PyFuncModel) -> None:
        given, before = copied(case.data), copied(case.data)
        model.predict(given)
        assert_same(given, before)

    def test_eight_threads_get_the_same(self, case: FlavorCase, model: spark_models.pyfunc.PyFuncModel) -> None:
        workers = 1 if case.not_for_threads else 8
        expected = model.predict(case.data)
        with ThreadPoolExecutor(workers) as pool:
            for answer in pool.map(lambda _: model.predict(case.data), range(4 * workers)):
                assert_same(answer, expected)

    # --- scoring of tables

    def test_the_order_of_columns_changes_nothing_and_others_are_ignored(
        self, case: FlavorCase, model: spark_models.pyfunc.PyFuncModel
    ) -> None:
        if not case.signature.inputs.has_input_names():
            return  # unnamed inputs are matched by position
        data = case.data
        turned = data[data.columns[::-1]] if isinstance(data, pd.DataFrame) else dict(reversed(data.items()))
        wider = (
            turned.assign(**{"not an input": "x"})
            if isinstance(turned, pd.DataFrame)
            else {"not an input": np.zeros(1), **turned}
        )
        assert_same(model.predict(turned), case.oracle(data))
        assert_same(model.predict(wider), case.oracle(data))

    def test_all_missing_inputs_are_named(self, case: FlavorCase, model: spark_models.pyfunc.PyFuncModel) -> None:
        names = case.signature.inputs.input_names()
        nothing = pd.DataFrame({"not an input": [1.0, 2.0]})
        with pytest.raises(errors.InputError) as caught:
            model.predict(nothing)
        if case.signature.inputs.has_input_names():
            assert isinstance(caught.value, errors.MissingColumnsError)
            assert caught.value.missing == tuple(names)

    def test_a_lossless_widening_is_taken_and_a_lossy_one_refused(
        self, case: FlavorCase, model: spark_models.pyfunc.PyFuncModel
    ) -> None:
        if case.signature.inputs.is_tensor_spec():
            return  # never cast: see the next law
        doubles = [spec.name for spec in case.signature.inputs.columns if spec.type is DataType.double]
        texts = all(spec.type is DataType.string for spec in case.signature.inputs.columns)
        assert doubles != [] or texts, "the case needs an input of type double, to widen to"
        for name in doubles:
            whole = np.arange(count(case.data)) % 5
            wide = case.data.assign(**{name: whole.astype("float64")})
            for dtype in ("int8", "int32", "uint16", "float32", "Int32"):
                given = wide.assign(**{name: pd.array(whole, dtype=dtype)})
                assert_same(model.predict(given), model.predict(wide))
            for dtype in ("int64", "bool", "str"):
                given = wide.assign(**{name: whole.astype(dtype)})
                with pytest.raises(errors.ColumnTypeError) as caught:
                    model.predict(given)
                shown = str(given[name].dtype)
                assert all(fact in str(caught.value) for fact in (repr(name), shown, "double"))

    def test_a_tensor_is_never_cast(self, case: FlavorCase, model: spark_models.pyfunc.PyFuncModel) -> None:
        for spec in case.signature.inputs.tensors:
            given = case.data if spec.name is None else case.data[spec.name]
            other = given.astype("float64" if given.dtype != "float64" else "float32")
            with pytest.raises(errors.TensorTypeError) as caught:
                model.predict(other if spec.name is None else {**case.data, spec.name: other})
            assert (caught.value.got, caught.value.expected) == (str(other.dtype), str(spec.type))


# --- rows of any form that a model takes or gives


def count(rows: Any) -> int:
    """How many rows there are."""
    return len(next(iter(rows.values()))) if isinstance(rows, dict) else len(rows)


def part(rows: Any, start: int, stop: int) -> Any:
    """The rows from `start` to `stop`."""
    if isinstance(rows, dict):
        return {name: part(column, start, stop) for name, column in rows.items()}
    return rows.iloc[start:stop] if isinstance(rows, (pd.DataFrame, pd.Series)) else rows[start:stop]


def head(rows: Any, number: int) -> Any:
    """The first rows."""
    return part(rows, 0, number)


def copied(rows: Any) -> Any:
    """Rows of their own."""
    return {name: copied(column) for name, column in rows.items()} if isinstance(rows, dict) else rows.copy()


def joined(parts: list[Any]) -> Any:
    """The rows of all parts in one, of the same form; their dtypes have to be one."""
    first = parts[0]
    assert {type(one) for one in parts} == {type(first)}
    if isinstance(first, dict):
        assert {tuple(one) for one in parts} == {tuple(first)}
        return {name: joined([one[name] for one in parts]) for name in first}
    if isinstance(first, pd.DataFrame):
        assert all(one.dtypes.equals(first.dtypes) for one in parts)
        return pd.concat(parts)
    if isinstance(first, pd.Series):
        assert {one.dtype for one in parts} == {first.dtype}
        return pd.concat(parts)
    if isinstance(first, np.ndarray):
        assert {dtype_of(one) for one in parts} == {dtype_of(first)}
        return np.concatenate(parts)
    return [value for one in parts for value in one]


def dtype_of(array: Any) -> str:
    """An array's dtype; of text and bytes without the length, which is that of the longest value."""
    return array.dtype.kind if array.dtype.kind in "US" else str(array.dtype)


def assert_same(found: Any, expected: Any) -> None:
    """Both are of one form, one dtype and one value, NaN equal to itself; the last digits of floats are forgiven.

    A matrix that lies otherwise in memory, or has other rows beside a row, is multiplied in another order.
    """
    assert isinstance(found, type(expected))
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            assert_same(found[name], expected[name])
    elif isinstance(expected, (pd.DataFrame, pd.Series)):
        frame = isinstance(expected, pd.DataFrame)
        check: Any = pd.testing.assert_frame_equal if frame else pd.testing.assert_series_equal
        digits = precision(expected.dtypes if frame else [expected.dtype])
        check(found.reset_index(drop=True), expected.reset_index(drop=True), rtol=digits, atol=digits)
    elif isinstance(expected, np.ndarray):
        assert (dtype_of(found), found.shape) == (dtype_of(expected), expected.shape)
        if expected.dtype.kind in "fc":
            digits = precision([expected.dtype])
            np.testing.assert_allclose(found, expected, rtol=digits, atol=digits)
        else:
            np.testing.assert_array_equal(found, expected)
    else:
        assert found == expected


def precision(dtypes: Any) -> float:
    """How far numbers of these dtypes may be apart; what stands in cells, as lists and dicts, may be float32's."""
    return 1e-5 if any(dtype in (np.float32, object) for dtype in dtypes) else 1e-12


def content(root: Path) -> dict[str, bytes]:
    """Every file below a directory, hidden ones too, with its bytes."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
