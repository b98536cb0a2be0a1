"""Targets that other packages bring: installed for real, in a directory of their own, and put to the laws."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import spark_models
from spark_models.cli import cli
from spark_models.deploy.plugins import PluginStore, get_deploy_client
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
    import types

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
