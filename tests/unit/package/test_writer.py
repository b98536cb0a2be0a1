"""Saving: a package stands in its place whole, or nothing does."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import spark_models
from spark_models import errors
from spark_models.models import Model, ModelSignature
from spark_models.package.writer import PackageWriter
from spark_models.types import ColSpec, Schema

ROOT = Path(__file__).parents[3]


class Same(spark_models.pyfunc.PythonModel):
    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input


class Unpicklable(Same):
    def __reduce__(self) -> Any:
        raise RuntimeError("not to be pickled")


class FailsOnLoad(Same):
    def load_context(self, context: Any) -> None:
        raise RuntimeError("no GPU here")


def _tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), PackageWriter(tmp_path / "new" / "deep" / "m", requirements=[]) as package:
        (package.root / "model.bin").write_bytes(b"half")
        raise error
    assert _tree(tmp_path) == []


def test_folders_that_stood_before_stay(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "m").mkdir()
    for path in (tmp_path / "models" / "m", tmp_path / "m"):
        with pytest.raises(RuntimeError), PackageWriter(path, requirements=[]):
            raise RuntimeError
    assert _tree(tmp_path) == ["m", "models"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"python_model": Unpicklable()},
        {"python_model": Same(), "artifacts": {"a": "no/such/file"}},
        {"python_model": FailsOnLoad(), "input_example": {"x": 1.0}},
        {"python_model": Same(), "input_example": object()},
        {"python_model": Same(), "code_paths": ["no/such/code.py"]},
        {"python_model": Same(), "conda_env": "no/such/conda.yaml"},
        {"python_model": Same(), "signature": {"inputs": []}},
        {"python_model": Same(), "metadata": {"x": object()}},
        {"loader_module": "json", "data_path": "no/such/data"},
        {"python_model": Same(), "loader_module": "json"},
        {"python_model": object()},
        {},
    ],
    ids=lambda arguments: "+".join(arguments) or "nothing",
)
def test_a_failed_save_leaves_nothing(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"."):
        spark_models.pyfunc.save_model(tmp_path / "new" / "m", **arguments)
    assert _tree(tmp_path) == []


def test_a_later_signature_error_leaves_nothing(tmp_path: Path) -> None:
    signature = ModelSignature(Schema([ColSpec("double", "x"), ColSpec("double", "y")]))
    with pytest.raises(errors.MissingColumnsError):
        spark_models.pyfunc.save_model(
            tmp_path / "m", python_model=Same(), signature=signature, input_example={"x": 1.0}
        )
    assert _tree(tmp_path) == []


def test_two_code_files_of_one_name_leave_nothing(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "lib.py").write_text("")
    before = _tree(tmp_path)
    with pytest.raises(errors.InvalidArgumentError, match=r"lib\.py"):
        spark_models.pyfunc.save_model(
            tmp_path / "m", python_model=Same(), code_paths=[tmp_path / "a" / "lib.py", tmp_path / "b" / "lib.py"]
        )
    assert _tree(tmp_path) == before


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_stands_there_is_left_as_it_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "m"
    kept = path / "kept.txt" if kind == "folder" else path
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("kept")
    before = _tree(tmp_path)
    with pytest.raises(errors.ModelPathExistsError) as caught:
        spark_models.pyfunc.save_model(path, python_model=Same())
    assert str(path) in str(caught.value)
    assert _tree(tmp_path) == before
    assert kept.read_text() == "kept"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Same())
    assert Model.load(tmp_path / "m").flavors.keys() == {"python_function"}


def test_whoever_comes_second_is_told(tmp_path: Path) -> None:
    """Two saves at once: the first to finish stands, the other raises and leaves it whole."""
    path = tmp_path / "m"
    with pytest.raises(errors.ModelPathExistsError), PackageWriter(path, requirements=[]) as slow:
        (slow.root / "mine.txt").write_text("slow")
        spark_models.pyfunc.save_model(path, python_model=Same())
    assert [entry for entry in os.listdir(tmp_path) if entry != "m"] == []
    assert spark_models.pyfunc.load_model(path) is not None
    assert not (path / "mine.txt").exists()


def test_two_artifacts_of_one_file_name(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "words.txt").write_text(folder)
    artifacts = {name: str(tmp_path / name / "words.txt") for name in ("a", "b")}
    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Same(), artifacts=artifacts)
    stored = Model.load(tmp_path / "m").flavors["python_function"]["artifacts"]
    assert {name: (tmp_path / "m" / entry["path"]).read_text() for name, entry in stored.items()} == {
        "a": "a",
        "b": "b",
    }


def test_code_around_the_model_is_copied_without_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`code_paths=["."]` with a model saved below it would copy itself for ever."""
    monkeypatch.chdir(tmp_path)
    Path("lib.py").write_text("answer = 42\n")
    Path("models").mkdir()
    spark_models.pyfunc.save_model("models/m", python_model=Same(), code_paths=["."])
    copied = _tree(tmp_path / "models" / "m" / "code")
    assert copied == [tmp_path.name, f"{tmp_path.name}/lib.py"]


def test_a_link_to_an_empty_folder_is_filled_and_stays(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "m").symlink_to(tmp_path / "disk")
    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Same())
    assert (tmp_path / "m").is_symlink()
    assert _tree(tmp_path / "disk") == _tree(tmp_path / "m")
    assert spark_models.pyfunc.load_model(tmp_path / "m").predict(5) == 5


def test_a_link_to_nowhere_is_no_place_for_a_model(tmp_path: Path) -> None:
    (tmp_path / "m").symlink_to(tmp_path / "absent")
    with pytest.raises(errors.ModelPathExistsError):
        spark_models.pyfunc.save_model(tmp_path / "m", python_model=Same())
    assert _tree(tmp_path) == ["m"]


FULL_DISK = """
import resource, signal, sys
import spark_models.pyfunc

class Large(spark_models.pyfunc.PythonModel):
    content = bytes(1_000_000)

    def predict(self, context, model_input):
        return model_input

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    spark_models.pyfunc.save_model(sys.argv[1], python_model=Large())
except OSError as error:
    sys.exit(f"no room: {error.errno}")
"""


def test_a_disk_without_room_leaves_nothing(tmp_path: Path) -> None:
    """No file may be longer than 100 kB here, so that a write fails in its middle."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "new" / "m")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, f"no room: {errno.EFBIG}")
    assert _tree(tmp_path) == []
