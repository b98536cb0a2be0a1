"""Packages that are broken, dangerous or changed: each a clear error before anything of them runs."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

import spark_models
from spark_models import errors
from spark_models.models import Model, ModelSignature
from spark_models.package.reader import open_package
from spark_models.types.schema import ColSpec, Schema


class Marker(spark_models.pyfunc.PythonModel):
    """A model that leaves a trace when it is loaded."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def load_context(self, context: Any) -> None:
        Path(self.trace).touch()

    def predict(self, context: Any, model_input: Any) -> Any:
        return model_input


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "it-ran"


@pytest.fixture
def package(tmp_path: Path, trace: Path) -> Path:
    """A package with an artifact whose loading would leave a trace."""
    (tmp_path / "words.txt").write_text("one two")
    spark_models.pyfunc.save_model(
        tmp_path / "m", python_model=Marker(str(trace)), artifacts={"words": str(tmp_path / "words.txt")}
    )
    assert not trace.exists()
    return tmp_path / "m"


def _edit(package: Path, old: str, new: str) -> None:
    """Changes the MLmodel text and gives the package a manifest that agrees with it."""
    text = (package / "MLmodel").read_text()
    assert text.count(old) == 1
    (package / "MLmodel").write_text(text.replace(old, new))
    (package / "manifest.sha256").unlink()


@pytest.mark.parametrize("kept", [0, 1, 10, 40, 90])
def test_a_truncated_mlmodel_is_refused(package: Path, trace: Path, kept: int) -> None:
    content = (package / "MLmodel").read_bytes()
    (package / "MLmodel").write_bytes(content[: len(content) * kept // 100])
    with pytest.raises(errors.SparkModelsError) as caught:
        spark_models.pyfunc.load_model(package)
    assert caught.value.code in ("INVALID_YAML", "INVALID_MLMODEL", "MANIFEST_MISMATCH")
    assert not trace.exists()


@pytest.mark.parametrize(
    "content", [b"", b"flavors: [", b"- a\n- b\n", b"\xff\xfe\x00", b"flavors: {a: 1}", b"\x00", b"5"]
)
def test_what_describes_no_model_is_refused(package: Path, content: bytes) -> None:
    (package / "MLmodel").write_bytes(content)
    with pytest.raises((errors.InvalidYamlError, errors.InvalidMLmodelError, errors.UnsafeYamlError)) as caught:
        Model.load(package)
    assert str(package / "MLmodel") in str(caught.value)


@pytest.mark.parametrize("path", ["../words.txt", "/etc/hostname", "artifacts/../../words.txt", "C:/x", "a\\..\\..\\b"])
def test_an_artifact_outside_is_never_touched(package: Path, trace: Path, path: str) -> None:
    _edit(package, "path: artifacts/words.txt", f"path: '{path}'")
    with pytest.raises(errors.PathEscapesError) as caught:
        spark_models.pyfunc.load_model(package)
    assert caught.value.path == path
    assert not trace.exists()


@pytest.mark.parametrize("path", ["../evil.pkl", "/tmp/evil.pkl"])
def test_a_pickle_outside_is_never_loaded(package: Path, trace: Path, path: str) -> None:
    (package.parent / "evil.pkl").write_bytes(pickle.dumps(None))
    _edit(package, "python_model: python_model.pkl", f"python_model: {path}")
    with pytest.raises(errors.PathEscapesError):
        spark_models.pyfunc.load_model(package)


@pytest.mark.parametrize("checked", [True, False])
def test_a_link_that_leads_outside_is_refused(package: Path, trace: Path, checked: bool) -> None:
    (package / "artifacts" / "words.txt").unlink()
    (package / "artifacts" / "words.txt").symlink_to(package.parent / "words.txt")
    with pytest.raises((errors.PathEscapesError, errors.InvalidPackageError)):
        spark_models.pyfunc.load_model(package, check_manifest=checked)
    assert not trace.exists()


def test_a_linked_folder_is_refused(package: Path) -> None:
    (package.parent / "other").mkdir()
    (package / "extra").symlink_to(package.parent / "other")
    with pytest.raises(errors.InvalidPackageError, match="a link"):
        spark_models.pyfunc.load_model(package)


def test_a_linked_manifest_is_no_way_round_it(package: Path, trace: Path) -> None:
    (package / "python_model.pkl").write_bytes(b"changed")
    (package / "manifest.sha256").unlink()
    (package / "manifest.sha256").symlink_to("nowhere")
    with pytest.raises(errors.InvalidPackageError, match="a link"):
        spark_models.pyfunc.load_model(package)


def test_a_pipe_in_a_package_does_not_hang(package: Path) -> None:
    os.mkfifo(package / "pipe")
    with pytest.raises(errors.InvalidPackageError, match="device"):
        spark_models.pyfunc.load_model(package)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    "content",
    [
        BOMB + "flavors: {}\n",
        "flavors: &f {python_function: *f}\n",
        "flavors: &f {a: {b: *f}}\n",
        "signature: &s {inputs: [*s]}\nflavors: {}\n",
        "flavors: {python_function: !!python/object/apply:os.system ['touch it-ran']}\n",
        "flavors: " + "[" * 5000 + "]" * 5000,
    ],
    ids=["bomb", "cycle", "inner cycle", "cycle in a list", "tag", "deep"],
)
def test_yaml_that_would_harm_is_refused(package: Path, content: str) -> None:
    (package / "MLmodel").write_text(content)
    with pytest.raises((errors.UnsafeYamlError, errors.InvalidYamlError)):
        Model.load(package)


def test_changed_added_and_removed_files_are_named(package: Path, trace: Path) -> None:
    (package / "python_model.pkl").write_bytes(b"changed")
    (package / "added.txt").write_text("new")
    (package / "artifacts" / "words.txt").unlink()
    with pytest.raises(errors.ManifestMismatchError) as caught:
        spark_models.pyfunc.load_model(package)
    assert str(caught.value).splitlines()[0] == (
        "[MANIFEST_MISMATCH] The package is not as it was saved: changed ['python_model.pkl'], added ['added.txt'], "
        "removed ['artifacts/words.txt']."
    )
    assert not trace.exists()


def test_one_flipped_bit_is_found_and_may_be_overlooked(package: Path, trace: Path) -> None:
    content = bytearray((package / "artifacts" / "words.txt").read_bytes())
    content[0] ^= 1
    (package / "artifacts" / "words.txt").write_bytes(content)
    with pytest.raises(errors.ManifestMismatchError, match=r"words\.txt"):
        spark_models.pyfunc.load_model(package)
    spark_models.pyfunc.load_model(package, check_manifest=False)
    assert trace.exists()


def test_a_pin_is_kept(package: Path) -> None:
    pinned = open_package(package).content_hash()
    assert spark_models.pyfunc.load_model(package, expected_hash=f"sha256:{pinned.upper()}") is not None
    with pytest.raises(errors.HashMismatchError) as caught:
        spark_models.pyfunc.load_model(package, expected_hash="0" * 64)
    assert (caught.value.got, caught.value.expected) == (pinned, "0" * 64)
    (package / "artifacts" / "words.txt").write_text("other")
    (package / "manifest.sha256").unlink()
    with pytest.raises(errors.HashMismatchError):
        spark_models.pyfunc.load_model(package, expected_hash=pinned)


def test_a_pinned_model_is_loaded_from_the_bytes_that_were_hashed(package: Path) -> None:
    loaded = spark_models.pyfunc.load_model(package, expected_hash=open_package(package).content_hash())
    artifact = Path(
        loaded._predictor.loaded.context.artifacts["words"]
        if hasattr(loaded._predictor, "loaded")
        else loaded._predictor.context.artifacts["words"]
    )
    assert package not in artifact.parents
    assert artifact.read_text() == "one two"


def test_no_code_runs_where_it_is_not_allowed(package: Path, trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.CodeNotAllowedError, match=r"'python_model.pkl' is a pickle"):
        spark_models.pyfunc.load_model(package, allow_code=False)
    for value in ("0", "false", " No "):
        monkeypatch.setenv("SPARK_MODELS_ALLOW_CODE", value)
        with pytest.raises(errors.CodeNotAllowedError):
            spark_models.pyfunc.load_model(package)
    assert not trace.exists()
    spark_models.pyfunc.load_model(package, allow_code=True)
    assert trace.exists()


def test_a_pickle_of_another_name_is_a_pickle(package: Path, trace: Path) -> None:
    (package / "python_model.pkl").rename(package / "weights.bin")
    _edit(package, "python_model: python_model.pkl", "python_model: weights.bin")
    with pytest.raises(errors.CodeNotAllowedError, match="unpickles"):
        spark_models.pyfunc.load_model(package, allow_code=False)
    assert not trace.exists()


LOADER = "loader_module: spark_models.pyfunc.model"


@pytest.mark.parametrize("name", ["no_such_module_at_all", ".relative", "a..b", "''", "5", "os.path.nothing", "json"])
def test_a_loader_that_is_not_there(package: Path, name: str) -> None:
    _edit(package, LOADER, f"loader_module: {name}")
    with pytest.raises(errors.LoaderNotFoundError) as caught:
        spark_models.pyfunc.load_model(package)
    assert caught.value.module == name.strip("'")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (LOADER, f"{LOADER}\n    code: MLmodel"),
        (LOADER, f"{LOADER}\n    code: [1]"),
        ("python_model: python_model.pkl", "python_model: missing.pkl"),
        ("python_model: python_model.pkl", "python_model: 7"),
        ("path: artifacts/words.txt", "path: [1]"),
        ("path: artifacts/words.txt", "no_path: 1"),
    ],
)
def test_entries_of_the_wrong_form(package: Path, trace: Path, old: str, new: str) -> None:
    _edit(package, old, new)
    with pytest.raises((errors.InvalidMLmodelError, errors.InvalidPackageError)):
        spark_models.pyfunc.load_model(package)
    assert not trace.exists()


def test_another_flavor_is_named(package: Path) -> None:
    with pytest.raises(errors.FlavorNotFoundError) as caught:
        spark_models.sklearn.load_model(package)
    assert (caught.value.flavor, caught.value.present) == ("sklearn", ("python_function",))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(errors.ModelNotFoundError):
        spark_models.pyfunc.load_model(tmp_path / "no")
    with pytest.raises(errors.NotAModelError):
        spark_models.pyfunc.load_model(tmp_path)
    with pytest.raises(errors.UnsupportedUriError):
        spark_models.pyfunc.load_model("models:/churn/1")


def test_a_notebook_shows_what_a_package_takes_and_gives(tmp_path: Path) -> None:
    signature = ModelSignature(Schema([ColSpec("double", f"x<{at}") for at in range(500)]), Schema([ColSpec("double")]))
    Model(signature=signature).add_flavor("sklearn").save(tmp_path / "MLmodel")
    shown = open_package(tmp_path)._repr_html_()
    assert "<th>flavors</th><td>sklearn</td>" in shown
    assert "x&lt;0" in shown
    assert len(shown) < 3000
