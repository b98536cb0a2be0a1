"""The environment files of a package, from what a caller gives."""

from __future__ import annotations

import copy
import pickle
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from spark_models.errors import InvalidEnvironmentError, InvalidYamlError, UnsafeYamlError
from spark_models.package.environment import Environment, build_environment, installed_requirement

PYTHON = ".".join(map(str, sys.version_info[:3]))


def conda_pip(environment: Environment) -> list[str]:
    """The pip part as it stands in the written conda.yaml."""
    written = yaml.safe_load(environment.files()["conda.yaml"])
    parts = [item for item in written["dependencies"] if isinstance(item, dict)]
    assert len(parts) == 1
    return list(parts[0]["pip"])


def lines(environment: Environment, name: str = "requirements.txt") -> list[str]:
    return environment.files()[name].split("\n")


# --- without conda_env


def test_the_default_environment() -> None:
    environment = build_environment(default=["scikit-learn==1.5.2", "cloudpickle==3.1.0"])
    pip, setuptools, wheel = map(installed_requirement, ("pip", "setuptools", "wheel"))
    assert environment.files() == {
        "conda.yaml": (
            "channels:\n- conda-forge\ndependencies:\n"
            f"- python={PYTHON}\n- pip\n- pip:\n  - spark_models\n  - scikit-learn==1.5.2\n  - cloudpickle==3.1.0\n"
            "name: mlflow-env\n"
        ),
        "python_env.yaml": (
            f"python: {PYTHON}\nbuild_dependencies:\n- {pip}\n- {setuptools}\n- {wheel}\n"
            "dependencies:\n- -r requirements.txt\n"
        ),
        "requirements.txt": "spark_models\nscikit-learn==1.5.2\ncloudpickle==3.1.0",
    }
    assert environment.python_version == PYTHON


def test_requirements_replace_the_defaults() -> None:
    """Case mlm.env.pip_requirements_list."""
    environment = build_environment(default=["x==1"], pip_requirements=["a", "b==2"])
    assert lines(environment) == conda_pip(environment) == ["spark_models", "a", "b==2"]
    assert lines(build_environment(default=["x==1"], pip_requirements=[])) == ["spark_models"]


def test_extra_requirements_follow_the_defaults() -> None:
    """Case mlm.env.extra_pip."""
    environment = build_environment(
        default=["cloudpickle==3.1.0"], extra_pip_requirements=["zzz", "cloudpickle==3.1.0"]
    )
    assert lines(environment) == conda_pip(environment) == ["spark_models", "cloudpickle==3.1.0", "zzz"]


def test_constraints_become_a_file_of_their_own(tmp_path: Path) -> None:
    """Case mlm.env.pip_constraints."""
    (tmp_path / "c.txt").write_text("a")
    environment = build_environment(default=[], pip_requirements=[f"-c {tmp_path / 'c.txt'}", "b"])
    assert lines(environment) == conda_pip(environment) == ["spark_models", "b", "-c constraints.txt"]
    assert lines(environment, "constraints.txt") == ["a"]
    assert environment.requirements == ("spark_models", "b")
    extra = build_environment(default=["x"], extra_pip_requirements=[f"-c {tmp_path / 'c.txt'}"])
    assert (extra.requirements, extra.constraints) == (("spark_models", "x"), ("a",))


def test_a_string_is_the_path_of_a_requirements_file(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("a==1\nb\n")
    for given in (path, str(path)):
        assert build_environment(default=["x"], pip_requirements=given).requirements == ("spark_models", "a==1", "b")
        extra = build_environment(default=["x"], extra_pip_requirements=given)
        assert extra.requirements == ("spark_models", "x", "a==1", "b")


@pytest.mark.parametrize(
    "own",
    [
        "spark_models",
        "spark-models==1.2.3",
        "Spark.Models[serve] >= 1, <2 ; python_version >= '3.10'",
        "spark_models @ https://host/files/x.whl",
        "dist/spark_models-0.1.0-py3-none-any.whl",
        "file:///wheels/spark_models-0.1.0-py3-none-any.whl#sha256=00",
        "/wheels/spark_models-0.1.0.tar.gz",
        "-e git+https://host/group/project.git@main#egg=spark_models",
        "spark-models==0.1.0 --hash=sha256:00",
    ],
)
def test_a_requirement_that_names_this_package_is_left_as_it_is(own: str) -> None:
    assert build_environment(default=[], pip_requirements=["a", own]).requirements == ("a", own)
    assert build_environment(default=[], conda_env={"dependencies": [{"pip": ["a", own]}]}).requirements == ("a", own)


@pytest.mark.parametrize(
    "other", ["spark_models_extra==1", "spark", "x/spark_models/other-1.0.tar.gz", "other[spark_models]"]
)
def test_a_requirement_that_names_another_package_does_not_count(other: str) -> None:
    assert build_environment(default=[], pip_requirements=[other]).requirements == ("spark_models", other)


# --- with conda_env


def test_the_example_of_the_document() -> None:
    conda_env = {
        "channels": ["conda-forge"],
        "dependencies": ["python=3.8.8", "pip"],
        "pip": ["spark_models", "scikit-learn==0.23.2", "cloudpickle==1.6.0"],
        "name": "mlflow-env",
    }
    given = copy.deepcopy(conda_env)
    environment = build_environment(default=["x"], conda_env=conda_env)
    assert environment.files()["conda.yaml"] == (
        "channels:\n- conda-forge\ndependencies:\n- python=3.8.8\n- pip\n"
        "- pip:\n  - spark_models\n  - scikit-learn==0.23.2\n  - cloudpickle==1.6.0\nname: mlflow-env\n"
    )
    assert environment.files()["requirements.txt"] == "spark_models\nscikit-learn==0.23.2\ncloudpickle==1.6.0"
    assert environment.files()["python_env.yaml"].startswith("python: 3.8.8\n")
    assert environment.python_version == "3.8.8"
    assert conda_env == given


@pytest.mark.parametrize(
    ("given", "dependencies", "requirements"),
    [
        # The cases mlm.env.no_pip_section, mlm.env.lib_requirement_not_duplicated and spk.conda_env_dict.
        (["python"], ["python", {"pip": ["spark_models"]}], ["spark_models"]),
        ([{"pip": ["a", "spark_models==1.2"]}], [{"pip": ["a", "spark_models==1.2"]}], ["a", "spark_models==1.2"]),
        (["python", {"pip": ["x==1"]}], ["python", {"pip": ["spark_models", "x==1"]}], ["spark_models", "x==1"]),
        (["python", {"pip": []}], ["python", {"pip": ["spark_models"]}], ["spark_models"]),
        (["python", {"pip": None}], ["python", {"pip": ["spark_models"]}], ["spark_models"]),
        ([{"pip": ["a"]}, "b", {"pip": ["c"]}], [{"pip": ["spark_models", "a", "c"]}, "b"], ["spark_models", "a", "c"]),
        ([], [{"pip": ["spark_models"]}], ["spark_models"]),
        (None, [{"pip": ["spark_models"]}], ["spark_models"]),
    ],
)
def test_the_pip_part_of_a_conda_environment(given: Any, dependencies: list[Any], requirements: list[str]) -> None:
    conda_env = {"dependencies": given}
    before = copy.deepcopy(conda_env)
    environment = build_environment(default=["default"], conda_env=conda_env)
    assert environment.conda == {"dependencies": dependencies}
    assert lines(environment) == requirements
    assert conda_env == before


def test_a_top_level_pip_list_follows_the_nested_one_and_unknown_keys_stay() -> None:
    dependencies = [{"pip": ["a"], "note": 1}, {"other": []}]
    conda_env = {"prefix": "p", "pip": ["b", "a"], "dependencies": dependencies, "x": {"y": [1]}}
    environment = build_environment(default=[], conda_env=conda_env)
    assert list(environment.conda) == ["prefix", "dependencies", "x"]
    assert environment.conda["dependencies"] == [{"pip": ["spark_models", "a", "b"], "note": 1}, {"other": []}]
    assert environment.conda["x"] == {"y": [1]}
    environment.conda["x"]["y"].append(2)
    assert conda_env["x"] == {"y": [1]}


def test_a_conda_environment_without_dependencies() -> None:
    assert build_environment(default=["x"], conda_env={}).conda == {"dependencies": [{"pip": ["spark_models"]}]}


def test_a_conda_environment_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "env" / "conda.yaml"
    path.parent.mkdir()
    (path.parent / "limits.txt").write_text("b<2\n")
    path.write_text("name: mine\ndependencies:\n- python=3.11\n- pip:\n  - b\n  - -c limits.txt\n")
    for given in (path, str(path)):
        environment = build_environment(default=["x"], conda_env=given)
        assert environment.conda == {
            "name": "mine",
            "dependencies": ["python=3.11", {"pip": ["spark_models", "b", "-c constraints.txt"]}],
        }
        assert (environment.constraints, environment.python_version) == (("b<2",), "3.11")


def test_the_written_files_give_the_same_environment_again(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("a<3")
    environment = build_environment(default=[], pip_requirements=["a", f"-c {tmp_path / 'c.txt'}"])
    for name, content in environment.files().items():
        (tmp_path / name).write_text(content)
    assert build_environment(default=[], conda_env=tmp_path / "conda.yaml") == environment
    assert build_environment(default=[], pip_requirements=tmp_path / "requirements.txt") == environment


@pytest.mark.parametrize(
    ("dependency", "version"),
    [
        ("python=3.8.8", "3.8.8"),
        ("python==3.10", "3.10"),
        ("python 3.9.1", "3.9.1"),
        ("conda-forge::python=3.11.*", "3.11"),
        ("python=3.8.8=h12debd9_4", "3.8.8"),
        ("python", PYTHON),
        ("python>=3.8", PYTHON),
        ("python-dateutil=2.9", PYTHON),
        ("ipython=8.1", PYTHON),
    ],
)
def test_the_python_version_is_the_pinned_one_or_the_running_one(dependency: str, version: str) -> None:
    assert build_environment(default=[], conda_env={"dependencies": [dependency]}).python_version == version


# --- what is refused


@pytest.mark.parametrize(
    "names",
    [
        ("conda_env", "pip_requirements"),
        ("conda_env", "extra_pip_requirements"),
        ("pip_requirements", "extra_pip_requirements"),
        ("conda_env", "pip_requirements", "extra_pip_requirements"),
    ],
)
def test_arguments_that_exclude_each_other(names: tuple[str, ...]) -> None:
    values: dict[str, Any] = {"conda_env": {}, "pip_requirements": [], "extra_pip_requirements": []}
    with pytest.raises(InvalidEnvironmentError) as caught:
        build_environment(default=[], **{name: values[name] for name in names})
    assert str(caught.value) == (
        f"[INVALID_ENVIRONMENT] Invalid environment: {' and '.join(names)} exclude each other.\n"
        "Where: arguments\nHint: give one of them"
    )


@pytest.mark.parametrize(
    ("conda_env", "problem", "source"),
    [
        ([], "it is list; a mapping", "conda_env"),
        ({"dependencies": "python"}, "'dependencies' is str; a list is expected", "conda_env"),
        ({"pip": "a"}, "'pip' is str; a list is expected", "conda_env"),
        ({"dependencies": [{"pip": {"a": 1}}]}, "'pip' is dict; a list is expected", "conda_env, dependencies"),
        ({"dependencies": [3.8]}, "a dependency is float", "conda_env, dependencies"),
        ({"dependencies": [{"pip": ["a", 1]}]}, "it is int; a requirement is a string", "conda_env, pip, item 2"),
        ({"dependencies": [{"pip": ["a b"]}]}, "'a b' is no requirement", "conda_env, pip, item 1"),
        ({"channels": ["https://u:p@host/x"]}, "a URL holds credentials", "conda_env, channels"),
        ({"channels": ["https://host/t/tk-1234-ab/x"]}, "a URL holds credentials", "conda_env, channels"),
    ],
)
def test_a_conda_environment_that_can_not_be_used(conda_env: Any, problem: str, source: str) -> None:
    with pytest.raises(InvalidEnvironmentError) as caught:
        build_environment(default=[], conda_env=conda_env)
    assert problem in caught.value.problem
    assert caught.value.source == source


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    for argument in ("conda_env", "pip_requirements", "extra_pip_requirements"):
        with pytest.raises(InvalidEnvironmentError, match="does not exist") as caught:
            build_environment(default=[], **{argument: missing})
        assert str(missing) in caught.value.problem
        assert caught.value.source == argument
    broken = tmp_path / "conda.yaml"
    broken.write_text("a: [")
    with pytest.raises(InvalidYamlError) as invalid:
        build_environment(default=[], conda_env=broken)
    assert invalid.value.source == str(broken)
    broken.write_text("!!python/name:os.system ''")
    with pytest.raises(UnsafeYamlError):
        build_environment(default=[], conda_env=broken)
    broken.write_text("- a")
    with pytest.raises(InvalidEnvironmentError, match="it is list; a mapping"):
        build_environment(default=[], conda_env=broken)


def test_an_environment_error_survives_pickle() -> None:
    error = InvalidEnvironmentError("p", "s", "a")
    assert isinstance(error, ValueError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(error) == "[INVALID_ENVIRONMENT] Invalid environment: p.\nWhere: s\nHint: a"


# --- installed_requirement


def test_the_installed_version() -> None:
    assert installed_requirement("PyYAML") == f"PyYAML=={metadata.version('PyYAML')}"
    assert installed_requirement("no-such-distribution") == "no-such-distribution"


def test_a_local_version_is_kept_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "demo_with_local-1.2.3+cpu.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo-with-local\nVersion: 1.2.3+cpu\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert installed_requirement("demo-with-local") == "demo-with-local==1.2.3"
