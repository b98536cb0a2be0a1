"""What an environment is made from, and what is said where it can't be made. Building one needs a package index: that
is among the tests on Spark."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import spark_models
from spark_models.errors import (
    CodeNotAllowedError,
    EnvironmentNotBuiltError,
    InvalidArgumentError,
    InvalidEnvironmentError,
    ManifestMismatchError,
    ShipError,
)
from spark_models.package.manifest import hash_of, read_manifest, write_manifest
from spark_models.package.reader import Package, open_package
from spark_models.scoring.isolation import delivery, environments, interpreters
from spark_models.scoring.isolation.delivery import EnvironmentRef, place_environment
from spark_models.scoring.isolation.environments import Recipe, build, check_manager, link, masked, python_of, recipe_of
from spark_models.scoring.isolation.interpreters import Interpreter, find_interpreter, minor_version
from spark_models.scoring.isolation.wheel import Wheel, write_wheel
from spark_models.scoring.place import pack

RUNNING = minor_version(sys.version)
MANAGER = "virtualenv" if interpreters.find_uv() is None else "uv"


class Identity(spark_models.pyfunc.PythonModel):
    def predict(self, context: object, model_input: object) -> object:
        return model_input


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Package]:
    """package(**files): a saved package with these files instead of its own; None removes one."""

    def package(**files: str | None) -> Package:
        path = tmp_path / "model"
        spark_models.pyfunc.save_model(path, python_model=Identity())
        for name, content in files.items():
            file = path / {"conda": "conda.yaml", "python": "python_env.yaml"}.get(name, f"{name}.txt")
            file.unlink(missing_ok=True)
            if content is not None:
                file.write_text(content)
        return open_package(path)

    return package


def recipe(**changes: object) -> Recipe:
    made = Recipe("virtualenv", RUNNING, ("a==1",), (), "", "/")
    return replace(made, **changes)  # type: ignore[arg-type]


# --- recipes


def test_a_package_of_ours(package: Callable[..., Package]) -> None:
    found = recipe_of(package(), "uv")
    assert found.python == RUNNING
    assert found.requirements == (f"cloudpickle=={__import__('cloudpickle').__version__}",)
    assert (found.manager, found.constraints, found.extras, found.content_hash) == ("uv", (), "", "")


def test_our_own_line_and_its_constraints_are_taken_out(package: Callable[..., Package]) -> None:
    found = recipe_of(
        package(
            requirements="Spark.Models[plot, fsspec]>=1; python_version>'3'\na\n-e ./b\n-c constraints.txt",
            constraints="a==2\nspark-models==7",
        ),
        "uv",
    )
    assert found.requirements == ("a", "./b")
    assert found.constraints == ("a==2",)
    assert found.extras == "[plot, fsspec]"


def test_a_package_with_conda_alone(package: Callable[..., Package]) -> None:
    conda = "dependencies:\n- python=3.12.4\n- pip\n- pip:\n  - mlflow\n  - scikit-learn==1.5.0\n"
    found = recipe_of(package(requirements=None, python=None, conda=conda), "virtualenv")
    assert found.python == "3.12"
    assert found.requirements == ("mlflow", "scikit-learn==1.5.0")


@pytest.mark.parametrize(
    ("python", "version"),
    [("python: 3.12.1", "3.12"), ("python: 3.10", "3.10"), ("python: '3.11'", "3.11"), ("other: 1", RUNNING)],
)
def test_the_version_of_python(package: Callable[..., Package], python: str, version: str) -> None:
    assert recipe_of(package(python=python), "uv").python == version


def test_a_version_that_is_none(package: Callable[..., Package]) -> None:
    with pytest.raises(InvalidEnvironmentError, match="'new' is no version of Python"):
        recipe_of(package(python="python: new"), "uv")


def test_a_package_that_does_not_say(package: Callable[..., Package]) -> None:
    with pytest.raises(EnvironmentNotBuiltError, match=r"neither requirements\.txt nor conda\.yaml"):
        recipe_of(package(requirements=None, conda=None), "uv")


@pytest.mark.parametrize(
    "requirements",
    ["./wheels/a-1-py3-none-any.whl", "wheels/a-1-py3-none-any.whl", "a-1-py3-none-any.whl", "-f wheels\na==1"],
)
def test_files_of_the_package_are_part_of_the_recipe(package: Callable[..., Package], requirements: str) -> None:
    saved = package(requirements=requirements)
    assert recipe_of(saved, "uv").content_hash == saved.content_hash()


# --- keys


def test_the_key_tells_environments_apart(tmp_path: Path) -> None:
    wheel = Wheel(tmp_path / "w", "aa", {})
    interpreter = Interpreter("/usr/bin/python3", "3.11", "linux-x86_64-cpython-311")
    changes: list[dict[str, object]] = [
        {},
        {"manager": "uv"},
        {"requirements": ("a==2",)},
        {"requirements": (), "constraints": ("a==1",)},
        {"extras": "[plot]"},
        {"content_hash": "bb"},
    ]
    keys = [recipe(**change).key(wheel, interpreter) for change in changes]
    keys.append(recipe().key(replace(wheel, sha256="ab"), interpreter))
    keys.append(recipe().key(wheel, replace(interpreter, kind="linux-aarch64-cpython-311")))
    keys.append(recipe().key(wheel, replace(interpreter, executable="/opt/bin/python3")))
    assert len(set(keys)) == len(keys)
    assert recipe(folder="/elsewhere").key(wheel, interpreter) == keys[0]


# --- what is installed


def test_one_run_where_no_hashes_are_asked_for(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    steps = environments._steps(recipe(constraints=("b==1",), extras="[plot]"), wheel)
    assert steps == [(("a==1", wheel.requirement("[plot]")), ("b==1",))]


def test_hashes_of_requirements_do_not_ask_for_ours(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    lines = ("--extra-index-url https://example.org", "--require-hashes", "a==1 --hash=sha256:aa", "b[c]==2")
    steps = environments._steps(recipe(requirements=lines), wheel)
    assert steps == [(lines, ()), (("--extra-index-url https://example.org", wheel.requirement()), ("a==1",))]


@pytest.mark.parametrize("change", ["changed", "added", "absent"])
def test_a_namesake_is_not_taken_for_the_toolkit(tmp_path: Path, change: str) -> None:
    """Another package may bring files of the name spark_models; an index may have a spark-models of its own."""
    interpreter = Interpreter("/usr/bin/python3", "3.11", "linux-x86_64-cpython-311")
    wheel = write_wheel(tmp_path)
    packages = tmp_path / "files" / "lib" / "python3.11" / "site-packages"
    with zipfile.ZipFile(wheel.path) as archive:
        archive.extractall(packages)
    write_manifest(tmp_path / "files")
    environments._check_own(tmp_path / "files", interpreter, wheel)

    own = packages / "spark_models"
    if change == "absent":
        (own / "errors.py").unlink()
    else:
        (own / ("errors.py" if change == "changed" else "evil.py")).write_text("")
    write_manifest(tmp_path / "files")
    with pytest.raises(EnvironmentNotBuiltError, match="the toolkit that was installed is not the running one"):
        environments._check_own(tmp_path / "files", interpreter, wheel)


# --- what can't be built


def test_a_manager_that_is_unknown() -> None:
    with pytest.raises(InvalidArgumentError, match=r"choose one of \['local', 'virtualenv', 'uv'\]"):
        check_manager("conda")


def test_a_python_that_is_too_old() -> None:
    with pytest.raises(EnvironmentNotBuiltError, match=r"asks for Python 3\.9, and spark-models needs 3\.10 or newer"):
        build(recipe(python="3.9"))


def test_a_python_that_is_not_here() -> None:
    with pytest.raises(EnvironmentNotBuiltError) as caught:
        build(recipe(python="3.99"))
    assert str(caught.value) == (
        "[ENVIRONMENT_NOT_BUILT] The environment of the package was not built: the package asks for Python 3.99, "
        "which is not on this host.\n"
        "Hint: install python3.99 here and on every host of the cluster, or use env_manager='local'"
    )


def test_a_requirement_that_can_not_be_had(
    package: Callable[..., Package], private_directories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The installer's own words reach the caller, and nothing is left in the cache."""
    monkeypatch.setenv("SPARK_MODELS_CACHE", str(private_directories / "not-built"))
    with pytest.raises(EnvironmentNotBuiltError) as caught:
        build(recipe_of(package(requirements="./missing-1-py3-none-any.whl"), MANAGER))
    assert "installing failed with exit status" in caught.value.problem
    assert "missing-1-py3-none-any.whl" in "\n".join(caught.value.output)
    left = [path for path in (private_directories / "not-built").iterdir() if not path.name.endswith(".lock")]
    assert left == []


def test_uv_that_is_not_installed(package: Callable[..., Package], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "find_uv", lambda: None)
    with pytest.raises(EnvironmentNotBuiltError, match=r"uv is not installed\.\nHint: pip install uv"):
        build(recipe_of(package(requirements="./no-uv.whl"), "uv"))


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INDEX_TOKEN", "t0ken")
    line = "a @ https://${INDEX_TOKEN}@example.org/a.whl"
    said = "GET https://bob:pass@example.org/a?x=1&api_key=k2 failed, t0ken was refused"
    hidden = masked(said, [line])
    assert hidden == "GET https://***@example.org/a?x=1&api_key=*** failed, *** was refused"


def test_installing_is_running_code(package: Callable[..., Package], monkeypatch: pytest.MonkeyPatch) -> None:
    saved = package()
    with pytest.raises(CodeNotAllowedError, match="its requirements are installed, which may run their code"):
        place_environment(None, saved, MANAGER, allow_code=False)
    monkeypatch.setenv("SPARK_MODELS_ALLOW_CODE", "0")
    with pytest.raises(CodeNotAllowedError):
        place_environment(None, saved, MANAGER)


# --- interpreters


def test_the_running_python_is_found() -> None:
    found = find_interpreter(RUNNING)
    assert found is not None
    assert found.version == RUNNING
    assert sys.implementation.cache_tag in found.kind
    code = "import sys; print(sys.prefix == sys.base_prefix)"
    run = subprocess.run([found.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"


def test_a_shim_that_fails_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, lying = tmp_path / "broken", tmp_path / "lying"
    for folder, script in ((broken, "exit 1"), (lying, "echo '[1]'")):
        folder.mkdir()
        shim = folder / "python3.98"
        shim.write_text(f"#!/bin/sh\n{script}\n")
        shim.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(broken), str(lying), os.environ["PATH"]]))
    assert find_interpreter("3.98") is None
    assert find_interpreter("3.98", [str(broken / "python3.98"), "/no/such/python", sys.executable]) is None


# --- on another host


@pytest.fixture
def built(tmp_path: Path) -> tuple[Path, EnvironmentRef]:
    """An environment of one module, in the layout of the cache, and its ref."""
    interpreter = find_interpreter(RUNNING)
    assert interpreter is not None
    root = tmp_path / "env-built"
    module = root / "files" / "lib" / f"python{RUNNING}" / "site-packages" / "only_here.py"
    module.parent.mkdir(parents=True)
    module.write_text("VALUE = 7\n")
    (root / "files" / "data").mkdir()
    (root / "files" / "data" / "run.sh").write_text("#!/bin/sh\necho 8\n")
    (root / "files" / "data" / "run.sh").chmod(0o755)
    write_manifest(root / "files")
    link(root, interpreter)
    return root, EnvironmentRef(hash_of(read_manifest(root / "files") or ""), str(root), interpreter, "archive.zip")


def imported(python: Path) -> str:
    code = "import only_here, os, sys; print(only_here.VALUE, os.path.relpath(only_here.__file__, sys.prefix))"
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_the_drivers_environment_is_used_where_it_is_at_hand(built: tuple[Path, EnvironmentRef]) -> None:
    root, ref = built
    assert ref.python() == python_of(root)
    assert imported(ref.python()) == f"7 lib/python{RUNNING}/site-packages/only_here.py"


def test_an_archive_is_unpacked_and_linked_to_a_python_of_the_host(
    built: tuple[Path, EnvironmentRef], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, ref = built
    archive = pack(root / "files", tmp_path / "archive.zip")
    root.rename(tmp_path / "of-the-driver")
    monkeypatch.setattr(delivery, "delivered", lambda name: tmp_path / name)
    python = ref.python()
    assert imported(python).startswith("7 ")
    assert python == ref.python()
    assert stat.S_IMODE(python.parents[2].stat().st_mode) == 0o700
    script = python.parents[1] / "data" / "run.sh"
    assert subprocess.run([script], capture_output=True, check=True).stdout == b"8\n"
    archive.write_bytes(archive.read_bytes().replace(b"VALUE = 7", b"VALUE = 8"))
    assert imported(python).startswith("7 ")


def test_a_changed_archive_is_refused(
    built: tuple[Path, EnvironmentRef], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, ref = built
    (root / "files" / "data" / "run.sh").write_text("#!/bin/sh\necho 9\n")
    pack(root / "files", tmp_path / "archive.zip")
    root.rename(tmp_path / "of-the-driver")
    monkeypatch.setenv("SPARK_MODELS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(delivery, "delivered", lambda name: tmp_path / name)
    with pytest.raises(ManifestMismatchError, match=r"run\.sh"):
        ref.python()
    assert not list((tmp_path / "cache").glob("env-*"))


@pytest.mark.parametrize("change", [{"version": "3.97"}, {"kind": "macosx-11-arm64-cpython-311"}])
def test_a_host_without_that_python(built: tuple[Path, EnvironmentRef], tmp_path: Path, change: dict[str, str]) -> None:
    root, ref = built
    root.rename(tmp_path / "of-the-driver")
    foreign = replace(ref, interpreter=replace(ref.interpreter, **change))
    with pytest.raises(ShipError, match=r"its environment needs Python .* on every host, and here is none"):
        foreign.python()


def test_a_host_that_got_no_archive(built: tuple[Path, EnvironmentRef], tmp_path: Path) -> None:
    root, ref = built
    root.rename(tmp_path / "of-the-driver")
    with pytest.raises(ShipError, match="is not on this host"):
        replace(ref, archive=None).python()
