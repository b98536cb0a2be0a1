"""The target `databricks`: a serving endpoint, or a job that scores a table, through the official SDK.

Files go to a volume of Unity Catalog. The toolkit travels as its own wheel beside the package, whose requirements name
that file: no index is asked for our name.
"""

from __future__ import annotations

import io
import json
import posixpath
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from spark_models.deploy import docker
from spark_models.deploy.calls import Calls
from spark_models.deploy.client import BaseDeploymentClient, Config, target_rest
from spark_models.deploy.config import config_help, mapping, option, read_config
from spark_models.deploy.marks import digest_of, not_made_here
from spark_models.deploy.rows import predictions, split_json
from spark_models.deploy.state import checked_name
from spark_models.errors import (
    DeploymentExistsError,
    DeploymentFailedError,
    DeploymentNotFoundError,
    InvalidArgumentError,
    InvalidConfigError,
    MissingExtraError,
    NotSupportedError,
)
from spark_models.package.manifest import copy_verified, write_manifest
from spark_models.package.reader import open_package
from spark_models.scoring.isolation.environments import masked
from spark_models.scoring.isolation.wheel import Wheel, write_wheel

T = TypeVar("T")

NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?")
TAG = "spark_models_app"
HASH_TAG = "spark_models_hash"
CONFIG_TAG = "spark_models_config"
"""The tag whose value follows from the configuration: so a repeated create is told from another."""

FOLDER_TAG, FORMER_TAG = "spark_models_folder", "spark_models_former_folder"
"""The tags of a job for its files: where they are, and where they were before an update."""

KINDS = ("endpoint", "job")

SCRIPT = '''\
"""Scores a table with a package, and writes the rows with their predictions: MODEL, INPUT, OUTPUT, MODE."""

import sys

import spark_models
from pyspark.sql import SparkSession

model, source, target, mode = sys.argv[1:5]
spark = SparkSession.builder.getOrCreate()
spark_models.score(spark.table(source), model).write.mode(mode).saveAsTable(target)
'''


@dataclass(frozen=True, slots=True)
class DatabricksConfig:
    """What is made of a package."""

    kind: str = option("endpoint", "endpoint, or job: one that scores a table")
    volume: str | None = option(None, "the volume for files, /Volumes/CATALOG/SCHEMA/VOLUME")
    entity_name: str | None = option(None, "endpoint: a model that is registered already; then nothing is sent")
    entity_version: str | None = option(None, "endpoint: its version")
    workload_size: str = option("Small", "endpoint: Small, Medium or Large")
    scale_to_zero: bool = option(True, "endpoint: whether it may sleep")
    environment_vars: dict[str, str] = mapping(
        "endpoint: variables, as a JSON object; secrets as {{secrets/SCOPE/KEY}}"
    )
    input_table: str | None = option(None, "job: the table that is scored")
    output_table: str | None = option(None, "job: the table that is written")
    write_mode: str = option("overwrite", "job: overwrite, append, error or ignore")
    cluster_id: str | None = option(None, "job: a cluster to run on")
    new_cluster: dict[str, Any] = mapping("job: a cluster to make, as the Jobs API takes it; else serverless")
    cron: str | None = option(None, "job: when it runs, as a Quartz expression in UTC")
    timeout_seconds: float = option(1800.0, "how long to wait for an endpoint")


HELP = """\
databricks: a serving endpoint or a job. pip install 'spark-models[databricks]'

URI: databricks, or databricks:/PROFILE of ~/.databrickscfg. Credentials are those of the official SDK: DATABRICKS_HOST
with DATABRICKS_TOKEN or a client's, a profile, or what a notebook has.

config:
"""


def target_help() -> str:
    """The URI and configuration of the target."""
    return HELP + config_help(DatabricksConfig)


def run_local(
    name: str,
    model_uri: str,
    flavor: str | None = None,
    config: Config | None = None,
    *,
    show: Callable[[str], None] | None = None,
) -> None:
    """Builds the image here and runs it in the foreground."""
    docker.run_image(name, model_uri, flavor, config, show=show)


class Workspace:
    """Calls to one workspace; each names its resource. The SDK itself tries again when it is told to wait."""

    def __init__(self, profile: str | None, calls: Calls) -> None:
        self.calls = calls
        self._profile = profile
        self._client: Any = None

    @property
    def client(self) -> Any:
        """The SDK's WorkspaceClient."""
        if self._client is None:
            try:
                from databricks.sdk import WorkspaceClient
            except ImportError as error:
                raise MissingExtraError("databricks-sdk", "databricks", "Deploying to Databricks") from error
            try:
                self._client = WorkspaceClient(profile=self._profile)
            except ValueError as error:
                said = masked(str(error).splitlines()[0])
                raise DeploymentFailedError("sign in", "the Databricks workspace", said.rstrip(".")) from error
        return self._client

    def call(self, call: str, resource: str, arguments: dict[str, Any], act: Callable[[Any], T], instead: T) -> T:
        """What `act` gives for the client.

        Raises:
            DeploymentFailedError: [DEPLOYMENT_FAILED] Databricks refuses, or can't be reached; the resource is named.
        """
        return self.calls.do(f"databricks.{call}", arguments, lambda: self._act(call, resource, act), instead)

    def find(self, call: str, resource: str, arguments: dict[str, Any], act: Callable[[Any], Any]) -> Any:
        """As `call`, but None where the resource is not there."""
        return self.calls.do(f"databricks.{call}", arguments, lambda: self._found(call, resource, act), None)

    def _found(self, call: str, resource: str, act: Callable[[Any], Any]) -> Any:
        try:
            return self._act(call, resource, act)
        except DeploymentFailedError as error:
            if type(error.__cause__).__name__ in ("NotFound", "ResourceDoesNotExist"):
                return None
            raise

    def _act(self, call: str, resource: str, act: Callable[[Any], T]) -> T:
        client = self.client
        from databricks.sdk.errors import DatabricksError, OperationFailed

        try:
            return act(client)
        except (DatabricksError, OperationFailed, OSError, TimeoutError) as error:
            problem = masked(next(iter(str(error).splitlines()), type(error).__name__).rstrip("."))
            advice = "the call may be made again: what is done already is found and kept"
            raise DeploymentFailedError(f"databricks.{call}", resource, problem, advice=advice) from error


@contextmanager
def travelling(model_uri: str) -> Iterator[Path]:
    """A copy of a package whose requirements name our own wheel, which is in its folder wheels/."""
    with tempfile.TemporaryDirectory(prefix="spark-models-databricks-") as folder:
        copy = Path(folder, "package")
        copy.mkdir()
        copy_verified(open_package(model_uri).root, copy)
        wheels = copy / "wheels"
        wheels.mkdir()
        wheel = write_wheel(wheels)
        for name in ("requirements.txt", "conda.yaml"):
            path = copy / name
            if path.is_file():
                path.write_text(_with_wheel(path.read_text(encoding="utf-8"), wheel), encoding="utf-8")
        write_manifest(copy)
        yield copy


def _with_wheel(text: str, wheel: Wheel) -> str:
    """The text with our own requirement as the wheel's file.

    `- spark_models[sklearn]==0.1.0` becomes `- wheels/spark_models-….whl[sklearn]`.
    """
    line = re.compile(r"(?m)^(\s*(?:-\s*)?)spark[_-]models\s*(\[[^\]]*\])?[^\n]*$")
    return line.sub(lambda found: f"{found[1]}wheels/{wheel.path.name}{found[2] or ''}", text)


class DatabricksClient(BaseDeploymentClient):
    """Serving endpoints and jobs of one workspace."""

    def __init__(self, target_uri: str) -> None:
        super().__init__(target_uri)
        self._profile = target_rest(target_uri) or None
        self._workspace = Workspace(self._profile, Calls())

    def dry_run(self, show: Callable[[str], None]) -> None:
        """From now on calls are shown, and not made; what exists is taken to be absent."""
        self._workspace = Workspace(self._profile, Calls(show))

    def create_deployment(
        self, name: str, model_uri: str, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The new endpoint or job.

        Raises:
            DeploymentExistsError: [DEPLOYMENT_EXISTS] there is one of the name, of another package or configuration.
            DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed; the text names the resource.
        """
        chosen = _checked(name, flavor, config)
        digest = open_package(model_uri).content_hash()
        found = self._found(name)
        if found is not None:
            if (found["content_hash"], found["config_hash"]) != (digest, _fingerprint(chosen)):
                raise DeploymentExistsError(name, self.target_uri)
            self._await(name, found, chosen)
        else:
            self._put(name, model_uri, digest, chosen, None)
        return self._described(name, chosen)

    def update_deployment(
        self, name: str, model_uri: str | None = None, flavor: str | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """The endpoint or job with another package; an endpoint serves the old one until the new one is ready.

        What is not given is as the endpoint or job has it, but for a registered model of the user's own: its package is
        not the one that is given.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            InvalidConfigError: [INVALID_CONFIG] no model: the package is sent with each update.
        """
        if model_uri is None:
            raise InvalidConfigError("databricks", ("model_uri is missing: an update is made of a package",))
        given = {} if config is None else dict(config)
        if self._workspace.calls.real:
            found = self._found(name)
            if found is None:
                raise DeploymentNotFoundError(name, self.target_uri)
            kept = self._config(name, found)
            before = {key: value for key, value in kept.items() if key not in ("entity_name", "entity_version")}
            if given.get("kind", found["kind"]) != found["kind"]:
                raise InvalidConfigError("databricks", (f"kind is {found['kind']} and can't change: delete it first",))
        else:
            found = {"kind": str(given.get("kind", "endpoint")), "id": 0, "folder": None, "former": None}
            before = {}
        chosen = _checked(name, flavor, {**before, **given})
        self._put(name, model_uri, open_package(model_uri).content_hash(), chosen, found)
        return self._described(name, chosen)

    def delete_deployment(self, name: str, config: Config | None = None) -> None:
        """Removes the endpoint, the job, the registered model and the files of the name; `volume` is where they are.

        The volume is known from the endpoint or job; give it for one that was cut off before these were made.

        Raises:
            DeploymentFailedError: [DEPLOYMENT_FAILED] a call failed, or the endpoint was not made here.
        """
        checked_name(name, NAME, _RULE)
        volume = (read_config(DatabricksConfig, config, "databricks").volume) if config else None
        folders: set[str] = {_folder(volume, name)} if volume is not None else set()
        jobs = self._jobs(name)
        self._delete_endpoint(name, others=jobs == [])
        if jobs == [] and not self._workspace.calls.real:
            jobs = [{"id": 0, "folder": _folder(volume or "/Volumes/…", name), "former": None}]
        folders |= {job[key] for job in jobs for key in ("folder", "former") if job[key] is not None}
        folders |= set(self._registered_folders(name))
        for folder in sorted(folders):
            self._remove_folder(folder)
        # What says where files are goes after them, so that a delete which is cut off can be repeated.
        for job in jobs:
            self._workspace.find("jobs.delete", f"job {name}", {"job_id": job["id"]}, partial(_delete_job, job["id"]))
        self._workspace.find(
            "model_registry.delete_model",
            f"registered model {_model_name(name)}",
            {"name": _model_name(name)},
            lambda client: client.model_registry.delete_model(_model_name(name)),
        )

    def _delete_endpoint(self, name: str, *, others: bool) -> None:
        """Removes the endpoint; one that was not made here stays, and is an error where it may be what is meant."""
        resource = f"serving endpoint {name}"
        endpoint = self._endpoint(name)
        if endpoint is not None and _tags(endpoint.tags).get(TAG) != name:
            if not others:
                return
            raise not_made_here(resource, TAG, "delete it in the workspace")
        self._workspace.find(
            "serving_endpoints.delete", resource, {"name": name}, lambda client: client.serving_endpoints.delete(name)
        )

    def list_deployments(self) -> list[dict[str, Any]]:
        """The endpoints and jobs that were made here, by name."""
        nothing: list[Any] = []
        endpoints = self._workspace.call(
            "serving_endpoints.list",
            "serving endpoints",
            {},
            lambda client: list(client.serving_endpoints.list()),
            nothing,
        )
        names = {endpoint.name for endpoint in endpoints if _tags(endpoint.tags).get(TAG) == endpoint.name}
        jobs = self._workspace.call("jobs.list", "jobs", {}, lambda client: list(client.jobs.list()), nothing)
        names |= {(job.settings.tags or {}).get(TAG) for job in jobs if job.settings is not None} - {None}
        found = [self._found(name) for name in sorted(map(str, names))]
        return [_shown(deployment) for deployment in found if deployment is not None]

    def get_deployment(self, name: str) -> dict[str, Any]:
        """An endpoint or job.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
        """
        found = self._found(name)
        if found is None:
            raise DeploymentNotFoundError(name, self.target_uri)
        return {**_shown(found), "config": self._config(name, found)}

    def predict(self, deployment_name: str, df: Any) -> Any:
        """An endpoint's predictions.

        Raises:
            DeploymentNotFoundError: [DEPLOYMENT_NOT_FOUND] there is none.
            NotSupportedError: [NOT_SUPPORTED] it is a job.
            DeploymentFailedError: [DEPLOYMENT_FAILED] it does not answer, or with an error.
        """
        found = self._found(deployment_name)
        if found is None and self._workspace.calls.real:
            raise DeploymentNotFoundError(deployment_name, self.target_uri)
        if found is not None and found["kind"] == "job":
            raise NotSupportedError("predict with a job", "databricks")
        rows = json.loads(split_json(df))

        def ask(client: Any) -> Any:
            path = f"/serving-endpoints/{deployment_name}/invocations"
            return client.api_client.do("POST", path, body={"dataframe_split": rows})

        resource = f"serving endpoint {deployment_name}"
        return predictions(
            json.dumps(self._workspace.call("serving_endpoints.query", resource, {"name": deployment_name}, ask, [])),
            resource,
        )

    def _endpoint(self, name: str) -> Any:
        return self._workspace.find(
            "serving_endpoints.get",
            f"serving endpoint {name}",
            {"name": name},
            lambda client: client.serving_endpoints.get(name),
        )

    def _found(self, name: str) -> dict[str, Any] | None:
        """What there is of the name: an endpoint, else a job of ours, else None."""
        checked_name(name, NAME, _RULE)
        endpoint = self._endpoint(name)
        if endpoint is not None:
            state, tags = endpoint.state, _tags(endpoint.tags)
            ready = "" if state is None or state.ready is None else state.ready.value
            return {
                "name": name,
                "kind": "endpoint",
                "status": "running" if ready == "READY" else "starting",
                "content_hash": tags.get(HASH_TAG),
                "config_hash": tags.get(CONFIG_TAG),
                "id": endpoint.id,
                "made": endpoint,
            }
        jobs = self._jobs(name)
        return None if jobs == [] else {"name": name, "kind": "job", "status": "made", **jobs[0]}

    def _jobs(self, name: str) -> list[dict[str, Any]]:
        nothing: list[Any] = []
        jobs = self._workspace.call(
            "jobs.list",
            f"job {name}",
            {"name": name},
            lambda client: list(client.jobs.list(name=name, expand_tasks=True)),
            nothing,
        )
        ours = [job for job in jobs if (job.settings.tags or {}).get(TAG) == name]
        return [
            {
                "id": job.job_id,
                "content_hash": job.settings.tags.get(HASH_TAG),
                "config_hash": job.settings.tags.get(CONFIG_TAG),
                "folder": job.settings.tags.get(FOLDER_TAG),
                "former": job.settings.tags.get(FORMER_TAG),
                "made": job.settings,
            }
            for job in ours
        ]

    def _config(self, name: str, found: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration of what there is, as keys of `DatabricksConfig`."""
        known = _of_job(found) if found["kind"] == "job" else _of_endpoint(name, found["made"])
        if found["kind"] == "endpoint" and "entity_name" not in known:
            folders = self._registered_folders(name)
            known["volume"] = posixpath.dirname(folders[0]) if folders != [] else None
        return {key: value for key, value in {"kind": found["kind"], **known}.items() if value is not None}

    def _registered_folders(self, name: str) -> list[str]:
        """The folders that versions of the registered model came from, the newest version's first."""
        model = _model_name(name)
        versions = self._workspace.find(
            "model_registry.search_model_versions",
            f"registered model {model}",
            {"filter": f"name='{model}'"},
            lambda client: list(client.model_registry.search_model_versions(filter=f"name='{model}'")),
        )
        newest = sorted(versions or (), key=lambda version: int(version.version or 0), reverse=True)
        sources = [version.source or "" for version in newest]
        return [posixpath.dirname(source.removeprefix("dbfs:")) for source in sources if source.startswith("dbfs:")]

    def _put(self, name: str, model_uri: str, digest: str, config: DatabricksConfig, found: Any) -> None:
        if config.kind == "job":
            self._put_job(name, model_uri, digest, config, found)
        else:
            self._put_endpoint(name, model_uri, digest, config, found)

    def _put_endpoint(self, name: str, model_uri: str, digest: str, config: DatabricksConfig, found: Any) -> None:
        entity, version = config.entity_name, config.entity_version
        if entity is None:
            entity = _model_name(name)
            version = self._registered(name, entity, self._sent(name, model_uri, digest, config), digest)
        shown = {"name": name, "entity": f"{entity}:{version}", "workload_size": config.workload_size}
        wait = timedelta(seconds=config.timeout_seconds)

        def make(client: Any) -> None:
            from databricks.sdk.service import serving

            served = serving.ServedEntityInput(
                entity_name=entity,
                entity_version=version,
                workload_size=config.workload_size,
                scale_to_zero_enabled=config.scale_to_zero,
                environment_vars=dict(config.environment_vars) or None,
            )
            tags = {TAG: name, HASH_TAG: digest, CONFIG_TAG: _fingerprint(config)}
            if found is None:
                inputs = serving.EndpointCoreConfigInput(name=name, served_entities=[served])
                marks = [serving.EndpointTag(key=key, value=value) for key, value in tags.items()]
                client.serving_endpoints.create(name=name, config=inputs, tags=marks).result(timeout=wait)
                return
            client.serving_endpoints.update_config(name=name, served_entities=[served]).result(timeout=wait)
            client.serving_endpoints.patch(
                name=name,
                add_tags=[serving.EndpointTag(key=key, value=tags[key]) for key in (HASH_TAG, CONFIG_TAG)],
            )

        call = "serving_endpoints.create" if found is None else "serving_endpoints.update_config"
        self._workspace.call(call, f"serving endpoint {name}", shown, make, None)

    def _await(self, name: str, found: dict[str, Any], config: DatabricksConfig) -> None:
        """Waits for an endpoint that an interrupted create has left on its way."""
        if found["kind"] == "endpoint" and found["status"] != "running":
            wait = timedelta(seconds=config.timeout_seconds)
            self._workspace.call(
                "serving_endpoints.get",
                f"serving endpoint {name}",
                {"name": name},
                lambda client: client.serving_endpoints.wait_get_serving_endpoint_not_updating(name, timeout=wait),
                None,
            )

    def _registered(self, name: str, model: str, source: str, digest: str) -> str:
        """The version of the registered model that has the package; both are made where they are not there."""
        resource = f"registered model {model}"
        there = self._workspace.find(
            "model_registry.get_model", resource, {"name": model}, lambda client: client.model_registry.get_model(model)
        )
        if there is None:
            self._workspace.call(
                "model_registry.create_model",
                resource,
                {"name": model},
                lambda client: client.model_registry.create_model(model),
                None,
            )
        versions = self._workspace.find(
            "model_registry.search_model_versions",
            resource,
            {"filter": f"name='{model}'"},
            lambda client: list(client.model_registry.search_model_versions(filter=f"name='{model}'")),
        )
        same = [version.version for version in versions or () if version.source == f"dbfs:{source}"]
        if same != []:
            return str(same[0])
        return self._workspace.call(
            "model_registry.create_model_version",
            resource,
            {"name": model, "source": f"dbfs:{source}"},
            lambda client: str(
                client.model_registry.create_model_version(
                    model, f"dbfs:{source}", description=digest
                ).model_version.version
            ),
            "1",
        )

    def _put_job(self, name: str, model_uri: str, digest: str, config: DatabricksConfig, found: Any) -> None:
        source = self._sent(name, model_uri, digest, config)
        folder = posixpath.dirname(source)
        script = f"{folder}/score.py"
        self._upload(script, SCRIPT.encode())
        wheel = f"{source}/wheels/{_wheel_name()}"
        resource = f"job {name}"
        former = None if found is None or found["folder"] in (None, folder) else found["folder"]
        if found is not None and found["former"] not in (None, folder, former):
            self._remove_folder(found["former"])  # an update that was cut off has left it
        marks = {TAG: name, HASH_TAG: digest, CONFIG_TAG: _fingerprint(config), FOLDER_TAG: folder}
        marks |= {} if former is None else {FORMER_TAG: former}
        parameters = [source, config.input_table, config.output_table, config.write_mode]

        def make(client: Any) -> None:
            from databricks.sdk.service import compute, jobs

            task = jobs.Task(
                task_key="score",
                spark_python_task=jobs.SparkPythonTask(
                    python_file=script, parameters=[str(item) for item in parameters]
                ),
            )
            environments = None
            if config.cluster_id is not None or config.new_cluster:
                task.existing_cluster_id = config.cluster_id
                task.new_cluster = compute.ClusterSpec.from_dict(config.new_cluster) if config.new_cluster else None
                task.libraries = [compute.Library(whl=wheel)]
            else:
                task.environment_key = "package"
                spec = compute.Environment(
                    environment_version="2", dependencies=[wheel, f"-r {source}/requirements.txt"]
                )
                environments = [jobs.JobEnvironment(environment_key="package", spec=spec)]
            settings = jobs.JobSettings(
                name=name,
                tasks=[task],
                environments=environments,
                tags=marks,
                max_concurrent_runs=1,
                schedule=None
                if config.cron is None
                else jobs.CronSchedule(quartz_cron_expression=config.cron, timezone_id="UTC"),
            )
            if found is None:
                client.jobs.create(**{key: getattr(settings, key) for key in _JOB_KEYS})
            else:
                client.jobs.reset(job_id=found["id"], new_settings=settings)

        shown = {"name": name, "script": script, "parameters": parameters, "wheel": wheel}
        self._workspace.call("jobs.create" if found is None else "jobs.reset", resource, shown, make, None)
        if former is not None:
            self._remove_folder(former)

    def _sent(self, name: str, model_uri: str, digest: str, config: DatabricksConfig) -> str:
        """The directory of a package in the volume; what is there whole is not sent again."""
        folder = _folder(str(config.volume), name)
        source = f"{folder}/{digest[:20]}"
        done = f"{source}.sent"
        resource = f"files {source}"
        marker = self._workspace.find(
            "files.get_metadata", resource, {"file_path": done}, lambda client: client.files.get_metadata(done)
        )
        if marker is None:
            with travelling(model_uri) as copy:
                for path in sorted(path for path in copy.rglob("*") if path.is_file()):
                    self._upload(f"{source}/{path.relative_to(copy).as_posix()}", path.read_bytes())
            self._upload(done, b"")
        return source

    def _upload(self, path: str, content: bytes) -> None:
        parent = posixpath.dirname(path)

        def send(client: Any) -> None:
            client.files.create_directory(parent)
            client.files.upload(path, io.BytesIO(content), overwrite=True)

        shown = {"file_path": path, "bytes": len(content)}
        self._workspace.call("files.upload", f"file {path}", shown, send, None)

    def _remove_folder(self, folder: str) -> None:
        resource = f"files {folder}"
        entries = self._workspace.find(
            "files.list_directory_contents",
            resource,
            {"directory_path": folder},
            lambda client: list(client.files.list_directory_contents(folder)),
        )
        if not self._workspace.calls.real:
            self._delete_file(f"{folder}/…")
        for entry in entries or ():
            if entry.is_directory:
                self._remove_folder(entry.path.rstrip("/"))
            else:
                self._delete_file(entry.path)
        self._workspace.find(
            "files.delete_directory",
            resource,
            {"directory_path": folder},
            lambda client: client.files.delete_directory(folder),
        )

    def _delete_file(self, path: str) -> None:
        self._workspace.find(
            "files.delete", f"file {path}", {"file_path": path}, lambda client: client.files.delete(path)
        )

    def _described(self, name: str, config: DatabricksConfig) -> dict[str, Any]:
        found = self._found(name)
        facts = {"name": name, "kind": config.kind} if found is None else _shown(found)
        return {"flavor": "python_function", **facts}


_RULE = "use letters, digits, '_' and '-', at most 63, a letter or digit first and last"
_JOB_KEYS = ("name", "tasks", "environments", "tags", "max_concurrent_runs", "schedule")


def _checked(name: str, flavor: str | None, config: Config | None) -> DatabricksConfig:
    checked_name(name, NAME, _RULE)
    if flavor not in (None, "python_function"):
        raise InvalidArgumentError(
            f"The flavor {flavor!r} can't be deployed", "python_function is what Databricks serves"
        )
    chosen = read_config(DatabricksConfig, config, "databricks")
    problems = []
    if chosen.kind not in KINDS:
        problems.append(f"kind must be one of {', '.join(KINDS)}")
    if chosen.kind == "job":
        problems += [f"{key} is missing" for key in ("input_table", "output_table") if getattr(chosen, key) is None]
    if (chosen.entity_name is None) != (chosen.entity_version is None):
        problems.append("entity_name and entity_version go together")
    if chosen.volume is None and (chosen.kind == "job" or chosen.entity_name is None):
        problems.append("volume is missing")
    if chosen.volume is not None and re.fullmatch(r"/Volumes/[^/]+/[^/]+/[^/]+(/.*)?", chosen.volume) is None:
        problems.append("volume must be /Volumes/CATALOG/SCHEMA/VOLUME")
    if problems != []:
        raise InvalidConfigError("databricks", tuple(problems))
    return chosen


def _fingerprint(config: DatabricksConfig) -> str:
    """What tells one configuration from another; how long it is waited for is none of it."""
    facts = {**asdict(config), "timeout_seconds": None}
    return digest_of(facts, 20)


def _shown(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in ("made", "config_hash", "former")}


def _of_endpoint(name: str, endpoint: Any) -> dict[str, Any]:
    """What an endpoint serves, as configuration; of one that is on its way, what it shall serve."""
    configs = [config for config in (endpoint.pending_config, endpoint.config) if config is not None]
    entity = next((served for config in configs for served in config.served_entities or ()), None)
    if entity is None:
        return {}
    own = entity.entity_name == _model_name(name)
    return {
        "workload_size": entity.workload_size,
        "scale_to_zero": entity.scale_to_zero_enabled,
        "environment_vars": dict(entity.environment_vars or {}),
        **({} if own else {"entity_name": entity.entity_name, "entity_version": entity.entity_version}),
    }


def _of_job(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a job does, as configuration."""
    settings = found["made"]
    known: dict[str, Any] = {
        "volume": None if found["folder"] is None else posixpath.dirname(found["folder"]),
        "cron": None if settings.schedule is None else settings.schedule.quartz_cron_expression,
    }
    for task in settings.tasks or ():
        _, known["input_table"], known["output_table"], known["write_mode"] = task.spark_python_task.parameters
        known["cluster_id"] = task.existing_cluster_id
        known["new_cluster"] = None if task.new_cluster is None else task.new_cluster.as_dict()
    return known


def _folder(volume: str, name: str) -> str:
    return f"{volume.rstrip('/')}/spark-models-{name}"


def _model_name(name: str) -> str:
    return f"spark-models-{name}"


def _wheel_name() -> str:
    from spark_models import __version__

    return f"spark_models-{__version__}-py3-none-any.whl"


def _tags(tags: Any) -> dict[str, str]:
    return {tag.key: tag.value for tag in tags or ()}


def _delete_job(job_id: int, client: Any) -> None:
    client.jobs.delete(job_id)
