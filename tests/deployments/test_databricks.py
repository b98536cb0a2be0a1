"""Databricks through its SDK, against a server that keeps what it is told and knows the fields of the SDK's types."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd
import pytest

pytest.importorskip("databricks.sdk", reason="databricks-sdk is not installed: make matrix has it")

from databricks.sdk.service import jobs as job_types
from databricks.sdk.service import serving as serving_types

from spark_models.deploy.laws import TargetLaws
from spark_models.deployments import get_deploy_client
from spark_models.errors import DeploymentFailedError, InvalidConfigError, NotSupportedError

VOLUME = "/Volumes/main/default/models"


class State:
    """The workspace."""

    def __init__(self) -> None:
        self.endpoints: dict[str, Any] = {}
        self.jobs: dict[int, Any] = {}
        self.models: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[str, bytes] = {}
        self.folders: set[str] = set()
        self.calls: list[str] = []
        self.fault: Any = lambda call: None
        """A status and a body instead of the answer, "cut" before the call is carried out, "lost" after it, or None."""

    def left(self) -> list[Any]:
        return [
            *self.endpoints,
            *self.jobs,
            *self.models,
            *self.files,
            *(f for f in self.folders if "spark-models" in f),
        ]


class AbsentError(Exception):
    """What is asked for is not there."""


def same(kind: Any, value: dict[str, Any]) -> None:
    """Refuses a body that holds what the published type does not know."""
    assert kind.from_dict(value).as_dict() == value, f"{kind.__name__} does not know all of {value}"


def answer(state: State, method: str, path: str, query: dict[str, str], raw: bytes) -> Any:
    body = json.loads(raw) if raw and "/fs/" not in path else {}
    if (found := re.fullmatch(r"/api/2\.0/serving-endpoints(?:/([^/]+))?(/config|/tags)?", path)) is not None:
        return endpoints(state, method, found[1], found[2], body)
    if re.fullmatch(r"/serving-endpoints/[^/]+/invocations", path):
        rows = body["dataframe_split"]
        return {
            "predictions": [
                {name: value * 2 for name, value in zip(rows["columns"], row, strict=True)} for row in rows["data"]
            ]
        }
    if (found := re.fullmatch(r"/api/2\.\d/jobs/(\w+)", path)) is not None:
        return jobs(state, found[1], query, body)
    if (found := re.fullmatch(r"/api/2\.0/mlflow/(.+)", path)) is not None:
        return models(state, found[1], query, body)
    if (found := re.fullmatch(r"/api/2\.0/fs/(files|directories)(/.+)", path)) is not None:
        return files(state, method, found[1], unquote(found[2]).rstrip("/"), raw)
    raise AbsentError(path)


def endpoints(state: State, method: str, name: str | None, part: str | None, body: Any) -> Any:
    if name is None and method == "GET":
        return {"endpoints": list(state.endpoints.values())}
    if name is None:
        same(serving_types.EndpointCoreConfigInput, body["config"])
        ready = {"ready": "READY", "config_update": "NOT_UPDATING"}
        state.endpoints[body["name"]] = {**body, "id": "e1", "state": ready}
        return state.endpoints[body["name"]]
    if name not in state.endpoints:
        raise AbsentError(name)
    if method == "DELETE":
        del state.endpoints[name]
        return {}
    if part == "/config":
        state.endpoints[name]["config"] = body
    if part == "/tags":
        added = {tag["key"]: tag for tag in [*state.endpoints[name]["tags"], *body["add_tags"]]}
        state.endpoints[name]["tags"] = list(added.values())
        return {"tags": state.endpoints[name]["tags"]}
    return state.endpoints[name]


def jobs(state: State, operation: str, query: dict[str, str], body: Any) -> Any:
    if operation == "list":
        found = [job for job in state.jobs.values() if query.get("name") in (None, job["settings"]["name"])]
        return {"jobs": found}
    if operation == "create":
        same(job_types.JobSettings, body)
        number = len(state.jobs) + 1
        state.jobs[number] = {"job_id": number, "settings": body}
        return {"job_id": number}
    if body["job_id"] not in state.jobs:
        raise AbsentError(str(body["job_id"]))
    if operation == "reset":
        same(job_types.JobSettings, body["new_settings"])
        state.jobs[body["job_id"]]["settings"] = body["new_settings"]
    if operation == "delete":
        del state.jobs[body["job_id"]]
    return {}


def models(state: State, operation: str, query: dict[str, str], body: Any) -> Any:
    name = body.get("name") or query.get("name") or query.get("filter", "").partition("'")[2].rstrip("'")
    if operation == "registered-models/create":
        state.models[name] = []
        return {"registered_model": {"name": name}}
    if name not in state.models:
        if operation == "model-versions/search":
            return {}
        raise AbsentError(name)
    if operation == "model-versions/create":
        made = {"name": name, "version": str(len(state.models[name]) + 1), "source": body["source"]}
        state.models[name].append(made)
        return {"model_version": made}
    if operation == "model-versions/search":
        return {"model_versions": state.models[name]}
    if operation == "registered-models/delete":
        del state.models[name]
        return {}
    return {"registered_model_databricks": {"name": name}}


def files(state: State, method: str, kind: str, path: str, raw: bytes) -> Any:
    known = state.files if kind == "files" else state.folders
    if method == "PUT":
        if kind == "files":
            state.files[path] = raw
        else:
            parts = path.split("/")
            state.folders |= {"/".join(parts[: end + 1]) for end in range(2, len(parts))}
        return {}
    if path not in known:
        raise AbsentError(path)
    if method == "DELETE" and kind == "files":
        del state.files[path]
    elif method == "DELETE":
        inside = [name for name in [*state.files, *state.folders] if name.startswith(f"{path}/")]
        assert inside == [], "a directory that holds something can't be deleted"
        state.folders.remove(path)
    elif kind == "directories":
        entries = [(name, False) for name in state.files] + [(name, True) for name in state.folders]
        children = [entry for entry in entries if entry[0].rpartition("/")[0] == path]
        return {"contents": [{"path": name, "is_directory": folder, "name": name} for name, folder in children]}
    return {}


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    state = State()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                raw = b""
                while (size := int(self.rfile.readline(), 16)) > 0:
                    raw += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            call = f"{self.command} {parts.path}"
            state.calls.append(call)
            fault = state.fault(call)
            if fault == "cut":
                self.close_connection = True
                self.connection.close()
                return
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status: int
            value: Any
            try:
                told = None if fault == "lost" else fault
                status, value = told or (200, answer(state, self.command, parts.path, query, raw))
            except AbsentError as absent:
                status, value = 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"{absent} does not exist"}
            except AssertionError as error:
                status, value = 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": str(error)}
            if fault == "lost":
                self.close_connection = True
                self.connection.close()
                return
            text = json.dumps(value).encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "application/json")
            if status == 429:
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = _answer  # noqa: N815 - as http.server names them

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("DATABRICKS_HOST", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-s3cret")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", "/nonexistent")
    yield state
    server.shutdown()
    server.server_close()


ENDPOINT = {"volume": VOLUME}
JOB = {"volume": VOLUME, "kind": "job", "input_table": "main.default.rows", "output_table": "main.default.scored"}


SERVED = {"workload_size": "Medium", "scale_to_zero": False, "environment_vars": {"TOKEN": "{{secrets/a/b}}"}}
RUN = {"cron": "0 0 6 * * ?", "write_mode": "append", "new_cluster": {"spark_version": "16.4.x-scala2.12"}}


def test_an_endpoint_keeps_the_laws(workspace: State, packages: list[str]) -> None:
    TargetLaws("databricks", *packages, config=ENDPOINT, predicts=False, other=SERVED).hold()
    assert workspace.left() == []


def test_a_job_keeps_the_laws(workspace: State, packages: list[str]) -> None:
    TargetLaws("databricks", *packages, config=JOB, predicts=False, other=RUN).hold()
    assert workspace.left() == []


def test_the_toolkit_travels_as_its_own_wheel(workspace: State, packages: list[str]) -> None:
    client = get_deploy_client("databricks")
    client.create_deployment("churn", packages[0], config=ENDPOINT)
    (requirements,) = [
        content.decode() for path, content in workspace.files.items() if path.endswith("/requirements.txt")
    ]
    (wheel,) = [path for path in workspace.files if path.endswith(".whl")]
    assert f"wheels/{wheel.rpartition('/')[2]}" in requirements
    assert not re.search(r"(?m)^spark[_-]models", requirements)
    (entity,) = workspace.endpoints["churn"]["config"]["served_entities"]
    assert (entity["entity_name"], entity["entity_version"]) == ("spark-models-churn", "1")
    found = client.predict("churn", pd.DataFrame({"a": [1.5]}))
    assert found.to_dict("records") == [{"a": 3.0}]


def test_a_job_scores_a_table(workspace: State, packages: list[str]) -> None:
    client = get_deploy_client("databricks")
    client.create_deployment("churn", packages[0], config={**JOB, "cron": "0 0 6 * * ?"})
    settings = workspace.jobs[1]["settings"]
    task = settings["tasks"][0]["spark_python_task"]
    assert "spark_models.score(spark.table(source), model)" in workspace.files[task["python_file"]].decode()
    assert task["parameters"][1:] == ["main.default.rows", "main.default.scored", "overwrite"]
    assert settings["schedule"]["timezone_id"] == "UTC"
    assert settings["environments"][0]["spec"]["dependencies"][0].endswith(".whl")
    with pytest.raises(NotSupportedError):
        client.predict("churn", pd.DataFrame({"a": [1.5]}))


@pytest.mark.parametrize("config", [ENDPOINT, JOB], ids=["endpoint", "job"])
def test_a_create_that_fails_at_each_kind_of_write_can_be_repeated_or_deleted(
    workspace: State, packages: list[str], config: dict[str, str]
) -> None:
    client = get_deploy_client("databricks")
    client.create_deployment("churn", packages[0], config=config)
    writes = [call for call in workspace.calls if not call.startswith(("GET", "HEAD"))]
    client.delete_deployment("churn", config=config)  # type: ignore[call-arg] # of this target
    # Each kind of call: the first file's, one amid the others, and all that follow the files.
    places = {0, 1, 2, len(writes) // 2, *range(len(writes) - 6, len(writes))}
    for place in sorted(places):
        for heal in ("delete", "repeat"):
            seen: list[str] = []

            def refuse(call: str, seen: list[str] = seen, place: int = place) -> Any:
                seen += [call] if not call.startswith(("GET", "HEAD")) else []
                return (400, {"error_code": "BAD_REQUEST", "message": "not today"}) if len(seen) > place else None

            workspace.fault = refuse
            with pytest.raises(DeploymentFailedError, match=r"(?s)not today.*Where: .*churn") as caught:
                client.create_deployment("churn", packages[0], config=config)
            assert "s3cret" not in str(caught.value)
            workspace.fault = lambda call: None
            if heal == "repeat":
                client.create_deployment("churn", packages[0], config=config)
            client.delete_deployment("churn", config={"volume": VOLUME})  # type: ignore[call-arg] # of this target
            assert workspace.left() == [], f"after a refusal of {writes[place]}"


@pytest.mark.parametrize("config", [ENDPOINT, JOB], ids=["endpoint", "job"])
@pytest.mark.parametrize("fault", ["cut", "lost"])
def test_a_line_that_is_cut_at_each_kind_of_write_leaves_nothing(
    workspace: State, packages: list[str], config: dict[str, str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("databricks.sdk.clock.RealClock.sleep", lambda *_: None)
    client = get_deploy_client("databricks")
    client.create_deployment("churn", packages[0], config=config)
    writes = [call for call in workspace.calls if not call.startswith(("GET", "HEAD"))]
    client.delete_deployment("churn", config=config)  # type: ignore[call-arg] # of this target
    for place in (0, *range(len(writes) - 4, len(writes))):
        seen: list[str] = []

        def once(call: str, seen: list[str] = seen, place: int = place) -> Any:
            seen += [call] if not call.startswith(("GET", "HEAD")) else []
            return fault if len(seen) == place + 1 and not call.startswith(("GET", "HEAD")) else None

        workspace.fault = once
        try:
            client.create_deployment("churn", packages[0], config=config)
        except DeploymentFailedError as failed:  # what the SDK does not send again
            assert re.search(r"(?s)Where: .*churn", str(failed)), failed
            workspace.fault = lambda call: None
            client.create_deployment("churn", packages[0], config=config)
        workspace.fault = lambda call: None
        assert len(seen) > place
        assert len(client.list_deployments()) == 1
        client.delete_deployment("churn", config={"volume": VOLUME})  # type: ignore[call-arg] # of this target
        assert workspace.left() == [], f"after {writes[place]} was {fault}"


def test_throttling_is_waited_out(workspace: State, packages: list[str]) -> None:
    refused: list[str] = []

    def throttle(call: str) -> Any:
        if call == "POST /api/2.0/serving-endpoints" and refused == []:
            refused.append(call)
            return 429, {"error_code": "RESOURCE_EXHAUSTED", "message": "slow down"}
        return None

    workspace.fault = throttle
    get_deploy_client("databricks").create_deployment("churn", packages[0], config=ENDPOINT)
    assert workspace.calls.count("POST /api/2.0/serving-endpoints") == 2


def test_what_is_missing_is_said_at_once(workspace: State, packages: list[str]) -> None:
    with pytest.raises(InvalidConfigError, match="input_table is missing; output_table is missing; volume is missing"):
        get_deploy_client("databricks").create_deployment("churn", packages[0], config={"kind": "job"})
    assert workspace.calls == []


def test_a_dry_run_makes_no_call(workspace: State, packages: list[str]) -> None:
    shown: list[str] = []
    client = get_deploy_client("databricks")
    client.dry_run(shown.append)
    client.create_deployment("churn", packages[0], config=ENDPOINT)
    client.delete_deployment("churn")
    calls = [line.split()[0] for line in shown]
    assert {"databricks.files.upload", "databricks.serving_endpoints.create", "databricks.jobs.list"} <= set(calls)
    assert workspace.calls == []


@pytest.mark.parametrize("config", [ENDPOINT, JOB], ids=["endpoint", "job"])
def test_a_delete_that_is_refused_at_any_call_goes_on(
    workspace: State, packages: list[str], config: dict[str, str]
) -> None:
    client = get_deploy_client("databricks")
    client.create_deployment("churn", packages[0], config=config)
    workspace.calls.clear()
    client.delete_deployment("churn")
    count = sum(not call.startswith(("GET", "HEAD")) for call in workspace.calls)
    for place in (1, 2, count // 2, *range(count - 4, count)):
        client.create_deployment("churn", packages[0], config=config)
        seen: list[str] = []

        def refuse(call: str, seen: list[str] = seen, place: int = place) -> Any:
            seen += [call] if not call.startswith(("GET", "HEAD")) else []
            return (400, {"error_code": "BAD_REQUEST", "message": "not today"}) if len(seen) > place else None

        workspace.fault = refuse
        with pytest.raises(DeploymentFailedError, match="not today"):
            client.delete_deployment("churn")
        workspace.fault = lambda call: None
        client.delete_deployment("churn")
        assert workspace.left() == [], f"after a refusal of {seen[-1]}"


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
def test_a_job_that_moves_to_another_volume_leaves_nothing_in_the_first(
    workspace: State, packages: list[str], cut: bool
) -> None:
    client = get_deploy_client("databricks")
    client.create_deployment("churn", packages[0], config=JOB)
    other = {"volume": "/Volumes/main/default/others"}
    if cut:
        workspace.fault = lambda call: (
            (400, {"error_code": "BAD_REQUEST", "message": "not today"}) if call.startswith("DELETE") else None
        )
        with pytest.raises(DeploymentFailedError):
            client.update_deployment("churn", packages[1], config=other)
        workspace.fault = lambda call: None
    else:
        client.update_deployment("churn", packages[1], config=other)
        assert [path for path in workspace.files if path.startswith(VOLUME)] == []
    client.delete_deployment("churn")
    assert workspace.left() == []


def test_an_endpoint_of_somebody_else_is_left_alone(workspace: State, packages: list[str]) -> None:
    client = get_deploy_client("databricks")
    client.create_deployment("churn", packages[0], config=ENDPOINT)
    workspace.endpoints["churn"]["tags"] = []
    with pytest.raises(DeploymentFailedError, match="it was not made here"):
        client.delete_deployment("churn")
    assert list(workspace.endpoints) == ["churn"]


def test_what_was_made_stays_what_it_is(workspace: State, packages: list[str]) -> None:
    client = get_deploy_client("databricks")
    client.create_deployment("churn", packages[0], config=ENDPOINT)
    with pytest.raises(InvalidConfigError, match="kind is endpoint and can't change"):
        client.update_deployment("churn", packages[1], config=JOB)


@pytest.mark.parametrize(
    ("config", "made"), [(ENDPOINT, "serving_endpoints.update_config"), (JOB, "jobs.reset")], ids=["endpoint", "job"]
)
def test_a_dry_run_shows_every_write_of_an_update_and_a_delete(
    workspace: State, packages: list[str], config: dict[str, str], made: str
) -> None:
    shown: list[str] = []
    client = get_deploy_client("databricks")
    client.dry_run(shown.append)
    client.update_deployment("churn", packages[1], config=config)
    assert f"databricks.{made}" in {line.split()[0] for line in shown}
    shown.clear()
    client.delete_deployment("churn")
    calls = [line.split()[0].removeprefix("databricks.") for line in shown]
    assert [call for call in calls if "delete" in call] == [
        "serving_endpoints.delete",
        "files.delete",
        "files.delete_directory",
        "jobs.delete",
        "model_registry.delete_model",
    ]
    assert workspace.calls == []
