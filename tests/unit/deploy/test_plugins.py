"""Targets that other packages bring: installed for real, in a directory of their own, and put to the laws."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import spark_models
from spark_models.cli import cli
from spark_models.deploy.plugins import PluginStore, get_deploy_client, plugin_store
from spark_models.errors import InvalidPluginError, UnknownTargetError

ROOT = Path(__file__).parents[3]
LEDGER = ROOT / "tests" / "plugins" / "ledger"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the plugin's distribution is installed."""
    for builder in ("uv", "hatchling"):
        pytest.importorskip(builder, reason=f"{builder}, which installs the plugin, is not here: the extra test has it")
    site = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(site)]
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, *options, str(LEDGER)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return site


def run(code: str, site: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), str(ROOT), os.environ.get("PYTHONPATH", "")])
    variables = {**os.environ, "PYTHONPATH": path, "LEDGER": str(tmp_path / "ledger.json")}
    return subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False)


LAWS = """
import sys
import pandas as pd
from spark_models.deploy.laws import TargetLaws

rows = pd.DataFrame({"a": [1.5, 2.0]})
TargetLaws(sys.argv[1] if len(sys.argv) > 1 else TARGET, FIRST, SECOND, rows, [[[3.0], [4.0]], [[4.5], [6.0]]]).hold()
print("held")
"""


def laws(target: str, packages: list[str]) -> str:
    names = {"TARGET": target, "FIRST": packages[0], "SECOND": packages[1]}
    return "".join(f"{name} = {value!r}\n" for name, value in names.items()) + LAWS


def test_a_plugin_of_another_distribution_keeps_the_laws(site: Path, packages: list[str], tmp_path: Path) -> None:
    done = run(laws("ledger", packages), site, tmp_path)
    assert (done.returncode, done.stdout) == (0, "held\n"), done.stderr


MLFLOW_BASE = """
from abc import ABC, abstractmethod


class BaseDeploymentClient(ABC):
    def __init__(self, target_uri):
        self.target_uri = target_uri

    @abstractmethod
    def create_deployment(self, name, model_uri, flavor=None, config=None, endpoint=None): ...
"""


def test_a_plugin_that_is_written_for_mlflow_loads(site: Path, packages: list[str], tmp_path: Path) -> None:
    """MLflow's own base class is in the module mlflow.deployments.base; that is all that is asked of it."""
    other = tmp_path / "other"
    deployments = other / "mlflow" / "deployments"
    deployments.mkdir(parents=True)
    (other / "mlflow" / "__init__.py").write_text("")
    (deployments / "__init__.py").write_text("from mlflow.deployments.base import BaseDeploymentClient\n")
    (deployments / "base.py").write_text(MLFLOW_BASE)
    source = (LEDGER / "ledger_deployments" / "__init__.py").read_text()
    written = source.replace("from spark_models.deployments import", "from mlflow.deployments import")
    (other / "old_ledger.py").write_text(written)
    facts = other / "old_ledger-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: old-ledger\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[mlflow.deployments]\nold = old_ledger\nlocal = old_ledger\n")
    done = run(laws("old", packages), other, tmp_path)
    assert (done.returncode, done.stdout) == (0, "held\n"), done.stderr
    # A built-in name is not replaced.
    kind = run(
        "from spark_models.deployments import *\nprint(type(get_deploy_client('local')).__name__)", other, tmp_path
    )
    assert kind.stdout == "LocalClient\n", kind.stderr


def test_one_name_of_two_distributions_is_refused(site: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "copy-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: copy\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text("[spark_models.deployments]\nledger = copy_of_ledger\n")
    code = "from spark_models.deployments import *\nget_deploy_client('ledger')"
    done = run(code, Path(f"{site}{os.pathsep}{other.parent}"), tmp_path)
    assert "two packages bring it: copy_of_ledger and ledger_deployments" in done.stderr


def test_a_plugin_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    other = tmp_path / "broken-1.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text("[spark_models.deployments]\nbroken = no_such_module\n")
    code = "from spark_models.deployments import *\nget_deploy_client('broken')"
    done = run(code, tmp_path, tmp_path)
    assert "[INVALID_PLUGIN] The plugin of the deployment target 'broken'" in done.stderr
    assert "No module named 'no_such_module'" in done.stderr


def test_a_module_without_the_functions_is_no_plugin() -> None:
    store = PluginStore()
    module = types.ModuleType("half")
    module.Client = type("Client", (spark_models.deployments.BaseDeploymentClient,), {})  # type: ignore[attr-defined]
    store.registry["half"] = module
    with pytest.raises(InvalidPluginError, match="half has no function run_local and no target_help"):
        store.module("half")


def test_an_unknown_target_lists_what_there_is() -> None:
    with pytest.raises(UnknownTargetError, match="did you mean 'sagemaker'"):
        get_deploy_client("sagemker:/us-east-1")


@pytest.mark.parametrize("target", ["local", "docker", "kubernetes", "sagemaker", "azureml", "databricks"])
def test_every_target_explains_itself_without_its_sdk(target: str) -> None:
    code = f"import sys\nfor name in ('boto3', 'azure', 'databricks'): sys.modules[name] = None\n\
from spark_models.cli import cli\ncli(['deployments', 'help', '-t', '{target}'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{target}: ")
    assert "config:\n  " in done.stdout


@pytest.mark.parametrize(
    ("target", "extra", "config"),
    [
        ("sagemaker", "sagemaker", {"execution_role_arn": "arn:aws:iam::1:role/x", "image_url": "i", "bucket": "b"}),
        ("azureml:/s/g/w", "azureml", {}),
        ("databricks", "databricks", {"volume": "/Volumes/a/b/c"}),
    ],
)
def test_a_missing_sdk_names_its_extra(target: str, extra: str, config: dict[str, str], packages: list[str]) -> None:
    code = f"import sys\nfor name in ('boto3', 'azure.ai.ml', 'databricks.sdk'): sys.modules[name] = None\n\
from spark_models.deployments import get_deploy_client\n\
get_deploy_client({target!r}).create_deployment('churn', {packages[0]!r}, config={config!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "[MISSING_EXTRA]" in done.stderr
    assert f"pip install 'spark-models[{extra}]'" in done.stderr


def test_importing_the_facade_imports_no_target() -> None:
    code = (
        "import sys, spark_models.deployments\nprint([n for n in sys.modules if n.startswith('spark_models.deploy.') \
and n.split('.')[2] in ('local', 'docker', 'sagemaker', 'azureml')], 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"


def test_configuration_of_the_command_line() -> None:
    words = ["deployments", "create", "-t", "local", "--name", "n", "-m", "m"]
    assert CliRunner().invoke(cli, [*words, "-C", "novalue"]).exit_code == 2
    twice = CliRunner().invoke(cli, [*words, "-C", "a=1", "-C", "a=2"])
    assert (twice.exit_code, "stand twice: ['a']" in twice.output) == (1, True)


@pytest.fixture
def old_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target `old`, written for MLflow: its client has no dry_run, and its functions no further arguments."""
    base = type("BaseDeploymentClient", (), {"__module__": "mlflow.deployments.base"})

    def delete_deployment(self: Any, name: str) -> None:
        raise AssertionError("it is not called")

    made = {"__init__": lambda self, target_uri: None, "delete_deployment": delete_deployment}
    module = types.ModuleType("old")
    module.Client = type("Client", (base,), made)  # type: ignore[attr-defined]
    module.run_local = lambda name, model_uri, flavor=None, config=None: None  # type: ignore[attr-defined]
    module.target_help = lambda: "old"  # type: ignore[attr-defined]
    monkeypatch.setitem(plugin_store.registry, "old", module)


def test_what_an_older_plugin_lacks_is_said(old_plugin: None) -> None:
    of = ["-t", "old", "--name", "churn"]
    for words in (["delete", *of, "--dry-run"], ["run-local", *of, "-m", "models/churn", "--dry-run"]):
        shown = CliRunner().invoke(cli, ["deployments", *words])
        assert "[NOT_SUPPORTED] --dry-run is not supported by the deployment target 'old'" in shown.stderr
    shown = CliRunner().invoke(cli, ["deployments", "delete", *of, "-C", "bucket=mine"])
    assert "[INVALID_CONFIG]" in shown.stderr
    assert "delete takes none" in shown.stderr


@pytest.mark.parametrize("target", ["local", "kubernetes", "docker", "azureml:/s/g/w"])
def test_a_delete_without_configuration_says_so(target: str) -> None:
    shown = CliRunner().invoke(cli, ["deployments", "delete", "-t", target, "--name", "churn", "-C", "bucket=mine"])
    assert (shown.exit_code, "delete takes none" in shown.stderr) == (1, True)


@pytest.mark.parametrize("target", ["local", "docker", "kubernetes", "sagemaker", "azureml", "databricks"])
def test_run_local_shows_what_it_would_run(
    target: str, packages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ["run-local", "-t", target, "--name", "churn", "-m", packages[0], "--dry-run"]
    shown = CliRunner().invoke(cli, ["deployments", *words])
    assert shown.exit_code == 0, shown.stderr
    assert all(line.startswith("would: ") for line in shown.stderr.splitlines())
    assert "serve" in shown.stderr if target in ("local", "sagemaker") else "docker run --rm" in shown.stderr


def test_a_dry_run_does_not_say_that_anything_was_done(packages: list[str], tmp_path: Path) -> None:
    of = ["-t", f"local:{tmp_path}/state", "--name", "churn", "--dry-run"]
    for words in (["create", *of, "-m", packages[0]], ["delete", *of]):
        shown = CliRunner().invoke(cli, ["deployments", *words])
        assert (shown.exit_code, shown.stdout) == (0, "A dry run: nothing was done\n")
    shown = CliRunner().invoke(cli, ["deployments", "create", *of, "-m", packages[0], "--json"])
    assert json.loads(shown.stdout)["status"] == "not made"
    shown = CliRunner().invoke(cli, ["deployments", "delete", *of, "--json"])
    assert json.loads(shown.stdout) == {"name": "churn", "deleted": False}
    shown = CliRunner().invoke(cli, ["deployments", "delete", *of[:-1], "--json"])
    assert json.loads(shown.stdout) == {"name": "churn", "deleted": True}
