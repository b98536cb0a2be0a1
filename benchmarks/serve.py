"""What the server costs, beside a bare ASGI application that only calls the model, and MLflow's server.

All serve a scikit-learn logistic regression on 20 columns from one worker on this machine, in one run, turn by turn;
the load comes from wrk. The bare application reads JSON by orjson, makes a numpy matrix of "data" and calls `predict`:
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
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from measure import DOCS, descendants, document, facts_text, processes, summarize, table, with_others, write

EXAMPLES = """
python benchmarks/serve.py
python benchmarks/serve.py --cases 1x1,1x8 --mlflow ~/mlflow/bin/python   only these, others of the file at hand kept
"""
COLUMNS = 20
BARE, SERVE, ALONE, MLFLOW = "bare application", "serve", "serve --no-batching", "MLflow's server"
CASES = ("1x1", "1x8", "1x64", "1x256", "1000x1", "1000x8", "half")
"""Rows of a body and connections of wrk; "half" is 1 row on 16 connections at half of what 8 get."""

RATE, P50, P99, FAILED, READY, MEMORY, OWN = (
    "requests/s",
    "p50 ms",
    "p99 ms",
    "failed",
    "ready s",
    "resident MB",
    "the model's own import and load, s",
)

BARE_APP = """
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

PAUSE = """
function delay()
    return {milliseconds}
end
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of one figure of a server: of a case, or of its start where `case` is ''."""

    server: str
    case: str
    figure: str
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that answers: its port, the seconds until it did, and its process."""

    port: int
    ready: float
    pid: int


class Samples:
    """What was measured, by server, case and figure."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, str], Sample] = {}

    def add(self, server: str, case: str, figure: str, value: float) -> None:
        key = (server, case, figure)
        self.found.setdefault(key, Sample(*key)).values.append(value)

    def median(self, server: str, case: str, figure: str) -> float:
        return summarize(self.found[server, case, figure].values).median


def main() -> None:
    arguments = parse_arguments()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed; on Debian: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        samples = measured(Path(folder), arguments)
    settings = {"seconds": arguments.seconds, "columns": COLUMNS, "load": load_generator(), "workers": 1}
    if arguments.mlflow is not None:
        settings["mlflow"] = installed(arguments.mlflow)
    found = document("serve", settings, list(samples.found.values()))
    content = with_others(arguments.out / "serve.json", found, ["server", "case", "figure"])
    everything = Samples()
    for sample in content["samples"]:
        everything.found[sample["server"], sample["case"], sample["figure"]] = Sample(**sample)
    raw, readable = write(arguments.out, "serve", content, text(content, everything))
    print(readable.read_text())
    plot(raw)


def measured(folder: Path, arguments: argparse.Namespace) -> Samples:
    """All samples of one run: the servers stay up, and in each turn every case goes to one after the other."""
    samples = Samples()
    commands = started_by(folder, arguments.mlflow)
    with contextlib.ExitStack() as stack:
        serving = {}
        for turn in range(arguments.repeat):
            samples.add(BARE, "", OWN, own_seconds(folder))
            for name, command in commands.items():
                with contextlib.ExitStack() as once:
                    holder = stack if turn == arguments.repeat - 1 else once
                    found = holder.enter_context(running(command, folder))
                    samples.add(name, "", READY, found.ready)
                    for rows in (1, 1000):
                        wrk(script(folder, rows, name), found.port, 4, 1)
                    samples.add(name, "", MEMORY, resident(found.pid))
                    serving[name] = found
        # All cases in each turn: a slow minute of the machine meets them alike, so that they can be compared.
        for _ in range(arguments.repeat):
            for case in arguments.cases:
                for name, found in serving.items():
                    for figure, value in loaded(folder, case, name, found.port, samples, arguments.seconds).items():
                        samples.add(name, case, figure, value)
    return samples


def loaded(folder: Path, case: str, name: str, port: int, samples: Samples, seconds: int) -> dict[str, float]:
    """One turn of a case."""
    if case == "half":
        connections = 16
        rate = samples.median(name, "1x8", RATE) / 2
        pause = max(1, round(1000 * connections / rate))
        return wrk(script(folder, 1, name, pause), port, connections, seconds)
    rows, connections = map(int, case.split("x"))
    return wrk(script(folder, rows, name), port, connections, seconds)


def started_by(folder: Path, mlflow: Path | None) -> dict[str, list[str]]:
    """The commands of the servers, to which the port is added."""
    package = save(folder)
    (folder / "bare.py").write_text(BARE_APP.format(path=str(package)))
    ours = [sys.executable, "-m", "spark_models", "serve", "-m", str(package)]
    commands = {
        BARE: [sys.executable, "-m", "uvicorn", "bare:app", "--no-access-log", "--log-level", "error", "--port"],
        ALONE: [*ours, "--no-batching", "-p"],
        SERVE: [*ours, "-p"],
    }
    if mlflow is not None:
        subprocess.run([mlflow, __file__, "--save-for-mlflow", str(folder / "peer")], check=True, cwd=folder)
        local = ["-m", str(folder / "peer"), "--env-manager", "local", "-h", "127.0.0.1", "-p"]
        commands[MLFLOW] = [str(mlflow), "-m", "mlflow", "models", "serve", *local]
    return commands


def training() -> tuple[Any, Any]:
    """The frame of the model, and the model."""
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(1000, COLUMNS)), columns=[f"x{at}" for at in range(COLUMNS)])
    return frame, LogisticRegression().fit(frame, (frame.sum(axis=1) > 0).astype(int))


def save(folder: Path) -> Path:
    """Our package of the model."""
    import spark_models.sklearn
    from spark_models.models import infer_signature

    frame, model = training()
    path = folder / "regression"
    signature = infer_signature(frame, model.predict(frame))
    spark_models.sklearn.save_model(model, path, signature=signature, input_example=frame.head(3))
    return path


def save_for_mlflow(path: str) -> None:
    """MLflow's package of the model; run by the Python that has it."""
    import mlflow

    frame, model = training()
    signature = mlflow.models.infer_signature(frame, model.predict(frame))
    mlflow.sklearn.save_model(model, path, signature=signature, input_example=frame.head(3))


def script(folder: Path, rows: int, server: str, pause: int | None = None) -> Path:
    """A script for wrk that posts so many rows in split orientation, and waits between two requests of a connection."""
    body = folder / f"{rows}-{'peer' if server == MLFLOW else 'split'}.json"
    if not body.exists():
        names = [f"x{at}" for at in range(COLUMNS)]
        data = [[(row * 7 + at) % 11 / 3 for at in range(COLUMNS)] for row in range(rows)]
        split = {"columns": names, "data": data}
        body.write_text(json.dumps({"dataframe_split": split} if server == MLFLOW else split))
    lua = body.with_name(f"{body.stem}-{pause}.lua")
    lua.write_text(LUA.format(body=body) + ("" if pause is None else PAUSE.format(milliseconds=pause)))
    return lua


def own_seconds(folder: Path) -> float:
    """What the model's own import and load take in a fresh process."""
    began = time.perf_counter()
    code = "import runpy; runpy.run_path('bare.py')"
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment(sys.executable, folder), check=True)
    return time.perf_counter() - began


def environment(python: str, folder: Path) -> dict[str, str]:
    """The variables of a server: our sources for our Python, and its own programs first."""
    path = os.pathsep.join([os.path.dirname(python), os.environ["PATH"]])
    found = {**os.environ, "PATH": path}
    found.pop("PYTHONPATH", None)
    if python == sys.executable:
        found["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).resolve().parents[1]), str(folder)])
    return found


@contextlib.contextmanager
def running(command: list[str], folder: Path) -> Iterator[Serving]:
    """A server on a free port, until it is left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.perf_counter()
    silent = subprocess.DEVNULL
    variables = environment(command[0], folder)
    process = subprocess.Popen([*command, str(port)], cwd=folder, env=variables, stdout=silent, stderr=silent)
    try:
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                break
            if process.poll() is not None or time.perf_counter() - began > 120:
                sys.exit(f"{command} does not serve")
            time.sleep(0.01)
        yield Serving(port, time.perf_counter() - began, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def resident(pid: int) -> float:
    """The resident megabytes of a process and of all that it has started."""
    total = 0
    for each in (pid, *(child.pid for child in descendants(processes(), pid))):
        with contextlib.suppress(OSError):
            total += int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{each}/status").read_text())[0])
    return total / 1024


def wrk(lua: Path, port: int, connections: int, seconds: int) -> dict[str, float]:
    """One run of the load generator."""
    url = f"http://127.0.0.1:{port}/invocations"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(lua), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    errors = re.search(r"Socket errors: (.*)", said)
    failed = int(refused.group(1)) if refused else 0
    failed += sum(map(int, re.findall(r"\d+", errors.group(1)))) if errors else 0
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    return {RATE: rate, P50: milliseconds(said, "50%"), P99: milliseconds(said, "99%"), FAILED: failed}


def milliseconds(said: str, percent: str) -> float:
    value, unit = re.findall(rf"{percent}\s+([\d.]+)(us|ms|s)", said)[0]
    return float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def load_generator() -> str:
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout.split()
    return " ".join(said[:2])


def installed(python: Path) -> str:
    """The MLflow of another Python."""
    code = "from importlib.metadata import version; print(version('mlflow'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def text(content: dict[str, Any], samples: Samples) -> str:
    """The report as Markdown."""
    settings = content["settings"]
    peer = f" MLflow {settings['mlflow']}." if "mlflow" in settings else ""
    parts = ["# The server beside a bare application"]
    stack = ", ".join(f"{name} {metadata.version(name)}" for name in ("uvicorn", "orjson"))
    parts.append(f"{facts_text(content)}\n{stack}.{peer}")
    parts.append(
        f"A logistic regression on {COLUMNS} columns, one worker, JSON in split orientation; the machine is shared "
        f"with {settings['load']}. Medians of turns of {settings['seconds']} s: `python benchmarks/serve.py`. The bare "
        "application runs on the same uvicorn, reads by orjson, makes a numpy matrix and calls the model, without a "
        "check, limit or deadline. `serve` scores requests together that wait together."
    )
    rows = []
    for case in CASES:
        for server in (BARE, ALONE, SERVE, MLFLOW):
            if (server, case, RATE) in samples.found:
                rows.append(row_of(samples, server, case))
    parts.append(table(["rows", "connections", "server", RATE, "of bare", P50, P99, FAILED], rows))
    parts.append(f"The model's own import and load: {samples.median(BARE, '', OWN):.2f} s.")
    starts = [
        [server, *(f"{samples.median(server, '', figure):.{places}f}" for figure, places in ((READY, 2), (MEMORY, 0)))]
        for server in (BARE, ALONE, SERVE, MLFLOW)
        if (server, "", READY) in samples.found
    ]
    parts.append(table(["server", READY, MEMORY], starts))
    return "\n\n".join(parts)


def row_of(samples: Samples, server: str, case: str) -> list[str]:
    rows, connections = case.split("x") if case != "half" else ("1", "16, half load")
    rate, p50, p99, failed = (samples.median(server, case, figure) for figure in (RATE, P50, P99, FAILED))
    share = f"{rate / samples.median(BARE, case, RATE):.2f}×" if case != "half" else ""
    return [rows, connections, server, f"{rate:,.0f}", share, f"{p50:.2f}", f"{p99:.2f}", f"{failed:.0f}"]


def plot(raw: Path) -> None:
    """Draws requests a second by case, where matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("(no plot: matplotlib is not installed)")
        return
    samples = Samples()
    for sample in json.loads(raw.read_text())["samples"]:
        samples.found[sample["server"], sample["case"], sample["figure"]] = Sample(**sample)
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots(1, 2, gridspec_kw={"width_ratios": [4, 2]})
    servers = {BARE: "lightgray", ALONE: "tab:cyan", SERVE: "tab:blue", MLFLOW: "tab:orange"}
    for place, (rows, cases) in zip(axes, (("1", CASES[:4]), ("1,000", CASES[4:6])), strict=True):
        shown = [case for case in cases if (BARE, case, RATE) in samples.found]
        for at, (server, colour) in enumerate(servers.items()):
            heights = [
                samples.median(server, case, RATE) if (server, case, RATE) in samples.found else 0 for case in shown
            ]
            place.bar([position + at * 0.2 for position in range(len(shown))], heights, 0.2, label=server, color=colour)
        place.set_xticks([position + 0.3 for position in range(len(shown))], [case.split("x")[1] for case in shown])
        place.set_xlabel("connections")
        place.set_title(f"{rows} row{'s' if rows != '1' else ''} a request", loc="left")
    axes[0].set_ylabel("requests a second")
    axes[0].legend(fontsize="small")
    figure.savefig(raw.with_suffix(".png"), dpi=100)
    print(raw.with_suffix(".png"))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=lambda text: text.split(","), default=CASES, help=f"of {', '.join(CASES)}")
    parser.add_argument("--seconds", type=int, default=3, help="of one turn of a case (3)")
    parser.add_argument("--repeat", type=int, default=3, help="turns (3)")
    parser.add_argument("--short", action="store_true", help="1x1 and 1x8, one turn, into build/benchmarks")
    parser.add_argument("--mlflow", type=Path, metavar="PYTHON", help="a Python that has MLflow, for its server")
    parser.add_argument("--out", type=Path, help="folder to write (docs/benchmarks; with --short build/benchmarks)")
    arguments = parser.parse_args()
    unknown = set(arguments.cases) - set(CASES)
    if unknown:
        parser.error(f"no such cases: {', '.join(sorted(unknown))}")
    if "half" in arguments.cases and "1x8" not in arguments.cases:
        parser.error("half needs 1x8 in the same run")
    if arguments.short:
        arguments.cases, arguments.repeat = ["1x1", "1x8"], 1
    if arguments.out is None:
        arguments.out = DOCS.parent.parent / "build" / "benchmarks" if arguments.short else DOCS
    return arguments


if __name__ == "__main__":
    if sys.argv[1:2] == ["--save-for-mlflow"]:
        save_for_mlflow(sys.argv[2])
    else:
        main()
