"""Azure as far as the SDK needs it: resources of ARM that keep what is put, and blobs. Requests are the SDK's own."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"


class Azure:
    """The resources by path, the blobs by URL, and the calls."""

    def __init__(self) -> None:
        self.resources: dict[str, Any] = {}
        self.blobs: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.calls: list[str] = []
        self.fault: Any = lambda call: None
        """A status and a body instead of the answer, "cut" before the call is carried out, "lost" after it, or None."""
        self.reset()

    def reset(self) -> None:
        self.blobs.clear()
        self.metadata.clear()
        self.calls.clear()
        self.fault = lambda call: None
        self.resources = {
            WORKSPACE: {
                "id": WORKSPACE,
                "name": "w",
                "location": "westeurope",
                "tags": {},
                "kind": "Default",
                "properties": {"discoveryUrl": "https://discovery.azure.test/discovery", "workspaceId": "0"},
            },
            f"{WORKSPACE}/datastores/workspaceblobstore": {
                "id": f"{WORKSPACE}/datastores/workspaceblobstore",
                "name": "workspaceblobstore",
                "properties": {
                    "datastoreType": "AzureBlob",
                    "accountName": "acct",
                    "containerName": "models",
                    "endpoint": "azure.test",
                    "protocol": "https",
                    "isDefault": True,
                    "credentials": {"credentialsType": "AccountKey"},
                },
            },
        }

    def kinds(self) -> dict[str, list[str]]:
        """What there is beside the workspace, by kind."""
        found: dict[str, list[str]] = {}
        for path in self.resources:
            parts = path.removeprefix(WORKSPACE).strip("/").split("/")
            if parts[0] not in ("", "datastores"):
                found.setdefault("/".join(parts[::2]), []).append("/".join(parts[1::2]))
        return found

    def arm(self, method: str, path: str, query: dict[str, str], raw: bytes) -> tuple[int, Any]:
        body = json.loads(raw) if raw else None
        if path.lower().endswith("/listsecrets"):
            return 200, {"secretsType": "AccountKey", "key": "a2V5LXMzY3JldA=="}
        if path.lower().endswith("/listkeys"):
            return 200, {"primaryKey": "k-s3cret", "secondaryKey": "k2-s3cret"}
        if path.endswith("/startPendingUpload"):
            return 404, {"error": {"code": "NotFound", "message": "no such operation"}}
        if method in ("PUT", "PATCH"):
            old = self.resources.get(path, {})
            made = {**old, **body, "id": path, "name": path.rpartition("/")[2]}
            made["properties"] = {
                **old.get("properties", {}),
                **body.get("properties", {}),
                "provisioningState": "Succeeded",
            }
            if re.search(r"/models/[^/]+/versions/[^/]+$", path):
                made["properties"].setdefault("flavors", {})
            if re.search(r"/onlineEndpoints/[^/]+/deployments/[^/]+$", path):
                made["properties"].setdefault("scaleSettings", {"scaleType": "Default"})
            if re.search(r"/onlineEndpoints/[^/]+$", path):
                made["properties"].setdefault("traffic", {})
                made["properties"]["scoringUri"] = f"https://{made['name']}.azure.test/invocations"
            self.resources[path] = made
            return 200, made
        if method == "DELETE":
            gone = [name for name in self.resources if name == path or name.startswith(f"{path}/")]
            for name in gone:
                del self.resources[name]
            return (200 if gone != [] else 204), None
        if path in self.resources:
            return 200, self.resources[path]
        depth = path.count("/") + 1
        if len(path.removeprefix(WORKSPACE).strip("/").split("/")) % 2 == 1 and path != WORKSPACE:
            children = [
                value
                for name, value in self.resources.items()
                if name.startswith(f"{path}/") and name.count("/") == depth
            ]
            return 200, {"value": children}
        return 404, {"error": {"code": "ResourceNotFound", "message": f"{path.rpartition('/')[2]} was not found"}}

    def blob(self, method: str, url: str, query: dict[str, str], raw: bytes) -> tuple[int, Any]:
        if query.get("restype") == "container" and query.get("comp") == "list":
            prefix = query.get("prefix", "")
            names = [name for name in (url.split("/", 2)[2] for url in self.blobs) if name.startswith(prefix)]
            items = "".join(f"<Blob><Name>{name}</Name><Properties/></Blob>" for name in names)
            return (
                200,
                f'<?xml version="1.0"?><EnumerationResults><Blobs>{items}</Blobs><NextMarker/></EnumerationResults>',
            )
        if method == "PUT":
            if query.get("comp") == "metadata":
                return 200, None
            self.blobs[url] = raw
            return 201, None
        if url in self.blobs or query.get("restype") == "container":
            return 200, self.blobs.get(url, b"").decode("latin-1")
        return 404, None


def serve(azure: Azure) -> ThreadingHTTPServer:
    """A server that answers for every host of Azure: the real one is in X-Host."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            host = self.headers["X-Host"]
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            path = unquote(parts.path).rstrip("/")
            call = f"{self.command} {path.removeprefix(WORKSPACE)}"
            azure.calls.append(call)
            fault = azure.fault(call)
            metadata: dict[str, str] = {}
            if fault == "cut":
                self.close_connection = True
                self.connection.close()
                return
            if fault not in (None, "lost"):
                status, value = fault
            elif ".blob." in host:
                url = f"{host}{path}"
                if self.command == "PUT":
                    sent = {name: text for name, text in self.headers.items() if name.lower().startswith("x-ms-meta-")}
                    azure.metadata.setdefault(url, {}).update(sent)
                status, value = azure.blob(self.command, url, query, raw)
                metadata = azure.metadata.get(url, {})
            elif "discovery" in host or "discovery" in path:
                status, value = 200, {"api": "https://management.azure.com", "history": "https://history.azure.test"}
            else:
                status, value = azure.arm(self.command, path, query, raw)
            if fault == "lost":  # done, and nobody is told
                self.close_connection = True
                self.connection.close()
                return
            text = (
                b""
                if value is None
                else value.encode("latin-1")
                if isinstance(value, str)
                else json.dumps(value).encode()
            )
            self.send_response_only(status)
            self.send_header("Content-Type", "application/xml" if isinstance(value, str) else "application/json")
            self.send_header("Content-Length", str(len(text)))
            for name in ("ETag", "x-ms-request-id"):
                self.send_header(name, '"1"')
            for name, stored in metadata.items():
                self.send_header(name, stored)
            self.send_header("Last-Modified", "Tue, 24 Nov 2026 12:00:00 GMT")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = _answer  # noqa: N815 - as http.server names them

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
