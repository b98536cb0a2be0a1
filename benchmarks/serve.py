"""What the server costs, against a bare ASGI application that only calls the model; the load comes from wrk.

    python benchmarks/serve.py [--seconds 4] [--runs 3] [--json FILE]

Both serve the same scikit-learn model of 20 columns from one worker on this machine, in one run, turn by turn; the
figures are medians. The bare application reads JSON by orjson, makes a numpy matrix of "data" and calls `predict`:
nothing is checked, and it has no limits, deadlines or metrics.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLUMNS = 20

BARE = """
import warnings
import numpy as np, orjson
import spark_models.sklearn
warnings.filterwarnings("ignore")
model = spark_models.sklearn.load_model({path!r})

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if body:
        found = model.predict(np.array(orjson.loads(body)["data"], dtype="float64"))
        body = orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({{"type": "http.response.start", "status": 200, "headers": headers}})
    await send({{"type": "http.response.body", "body": body}})
"""

LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = io.open("{body}"):read("*a")
"""


@dataclass(frozen=True)
class Load:
    """What wrk measured once: answers a second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float
    failed: int


def main() -> None:
    """Runs the measurement and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), arguments.seconds, arguments.runs)
    print(table(report))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


def measure(folder: Path, seconds: int, runs: int) -> dict[str, Any]:
    """The whole report as JSON values."""
    package = save(folder)
    (folder / "bare.py").write_text(BARE.format(path=str(package)))
    bodies = {rows: body(folder, rows) for rows in (1, 1000)}
    commands = {
        "bare": [sys.executable, "-m", "uvicorn", "bare:app", "--no-access-log", "--log-level", "error", "--port"],
        "serve --no-batching": [*serving(package), "--no-batching", "-p"],
        "serve": [*serving(package), "-p"],
    }
    cases = [(1, 1), (1, 8), (1, 64), (1000, 1), (1000, 8)]
    report: dict[str, Any] = {"ready": {}, "memory": {}, "loads": [], "import": import_seconds(folder)}
    with contextlib.ExitStack() as stack:
        ports = {}
        for name, command in commands.items():
            ports[name], ready, pid = stack.enter_context(running(command, folder))
            report["ready"][name] = ready
            for lua in bodies.values():
                wrk(lua, ports[name], 4, 1)
            report["memory"][name] = memory(pid)
        for rows, connections in cases:
            found: dict[str, list[Load]] = {name: [] for name in commands}
            for _ in range(runs):
                for name in commands:
                    found[name].append(wrk(bodies[rows], ports[name], connections, seconds))
            for name, loads in found.items():
                entry = {"rows": rows, "connections": connections, "server": name}
                for fact in ("rate", "p50", "p99", "failed"):
                    entry[fact] = statistics.median(getattr(load, fact) for load in loads)
                report["loads"].append(entry)
    return report


def save(folder: Path) -> Path:
    """The package of a logistic regression on 20 columns."""
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    import spark_models.sklearn
    from spark_models.models import infer_signature

    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(1000, COLUMNS)), columns=[f"x{at}" for at in range(COLUMNS)])
    model = LogisticRegression().fit(frame, (frame.sum(axis=1) > 0).astype(int))
    path = folder / "regression"
    signature = infer_signature(frame, model.predict(frame))
    spark_models.sklearn.save_model(model, path, signature=signature, input_example=frame.head(3))
    return path


def body(folder: Path, rows: int) -> Path:
    """A script for wrk that posts so many rows in split orientation."""
    names = [f"x{at}" for at in range(COLUMNS)]
    data = [[(row * 7 + at) % 11 / 3 for at in range(COLUMNS)] for row in range(rows)]
    file = folder / f"{rows}.json"
    file.write_text(json.dumps({"columns": names, "data": data}))
    script = folder / f"{rows}.lua"
    script.write_text(LUA.format(body=file))
    return script


def serving(package: Path) -> list[str]:
    return [sys.executable, "-m", "spark_models", "serve", "-m", str(package)]


def import_seconds(folder: Path) -> float:
    """What the model's own import and load take in a fresh process."""
    code = "import runpy; runpy.run_path('bare.py')"
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment(folder), check=True)
    return time.perf_counter() - began


def environment(folder: Path) -> dict[str, str]:
    root = str(Path(__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, str(folder)])}


@contextlib.contextmanager
def running(command: list[str], folder: Path) -> Iterator[tuple[int, float, int]]:
    """A server: its port, the seconds until it answered, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.perf_counter()
    process = subprocess.Popen([*command, str(port)], cwd=folder, env=environment(folder), stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                break
            if process.poll() is not None or time.perf_counter() - began > 60:
                sys.exit(f"{command} does not serve")
            time.sleep(0.01)
        yield port, time.perf_counter() - began, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def memory(pid: int) -> float:
    """The resident megabytes of a process and its children."""
    found = subprocess.run(["ps", "-o", "rss=", "-p", str(pid), "--ppid", str(pid)], capture_output=True, text=True)
    return sum(map(int, found.stdout.split())) / 1024


def wrk(script: Path, port: int, connections: int, seconds: int) -> Load:
    """One run of the load generator."""
    url = f"http://127.0.0.1:{port}/invocations"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: (.*)", text)
    failed = (int(refused.group(1)) if refused else 0) + (
        sum(map(int, re.findall(r"\d+", errors.group(1)))) if errors else 0
    )
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0])
    return Load(rate, *(_milliseconds(text, percent) for percent in ("50%", "99%")), failed)


def _milliseconds(text: str, percent: str) -> float:
    value, unit = re.findall(rf"{percent}\s+([\d.]+)(us|ms|s)", text)[0]
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def table(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    lines = ["| rows | connections | server | requests/s | of bare | p50 ms | p99 ms | failed |", "| --- " * 8 + "|"]
    bare = {(load["rows"], load["connections"]): load["rate"] for load in report["loads"] if load["server"] == "bare"}
    for load in report["loads"]:
        share = load["rate"] / bare[load["rows"], load["connections"]]
        lines.append(
            f"| {load['rows']} | {load['connections']} | {load['server']} | {load['rate']:.0f} | {share:.2f} | "
            f"{load['p50']:.2f} | {load['p99']:.2f} | {load['failed']} |"
        )
    lines += [
        "",
        f"The model's own import and load: {report['import']:.2f} s",
        "",
        "| server | ready s | MB |",
        "| --- " * 3 + "|",
    ]
    lines += [f"| {name} | {report['ready'][name]:.2f} | {report['memory'][name]:.0f} |" for name in report["ready"]]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
