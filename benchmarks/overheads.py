"""What stands around a score: importing, starting the command, saving, loading, and checking one batch of input."""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
from measure import DOCS, document, facts_text, measure_call, ratio, shown, summarize, table, write
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

import spark_models.pyfunc
import spark_models.sklearn
from spark_models.bind.enforce import Enforcer
from spark_models.models import infer_signature
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = """\
examples:
  python benchmarks/overheads.py              writes docs/benchmarks/overheads.{json,md}
  python benchmarks/overheads.py --out /tmp   elsewhere
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of one thing, several times; `over` names the sample that it is compared with."""

    name: str
    seconds: list[float]
    over: str | None = None
    copied: bool | None = None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=DOCS, help="folder to write (docs/benchmarks)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    samples = []
    for sample in [*processes(), *packages(), *enforcement(), *predicting()]:
        samples.append(sample)
        print(f"{sample.name:<55} {shown(summarize(sample.seconds).median)}", flush=True)
    content = document("overheads", {}, samples)
    print(*write(arguments.out, "overheads", content, text_of(content, samples)), sep="\n")


def text_of(content: dict, samples: list[Sample]) -> str:
    by_name = {sample.name: sample for sample in samples}
    rows = []
    for sample in samples:
        found = summarize(sample.seconds)
        compared = (
            "" if sample.over is None else f"{ratio(sample.seconds, by_name[sample.over].seconds):.2f}× {sample.over}"
        )
        shared = {None: "", True: "copied", False: "shares memory"}[sample.copied]
        spread = f"{shown(found.low)} – {shown(found.high)}"
        rows.append([sample.name, shown(found.median), spread, str(found.n), compared, shared])
    headers = ["what", "median", "quartiles", "n", "compared", "input"]
    return f"# Overheads\n\n{facts_text(content)}\n\n{table(headers, rows)}\n"


def processes() -> Iterator[Sample]:
    """CPU seconds of whole Python processes, in turns; each is compared with the one that does nothing."""
    programs = {
        "bare Python": "pass",
        "import spark_models": "import spark_models",
        "import pandas": "import pandas",
        "import spark_models.pyfunc": "import spark_models.pyfunc",
        "spark-models --help": "import sys; from spark_models.cli import main; sys.argv = ['', '--help']; main()",
    }
    command = find_spec("spark_models.cli")
    if command is None or command.origin is None:
        del programs["spark-models --help"]
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(16):
        for name, program in programs.items():
            used = cpu_of(program)
            if turn > 0:  # the first one may have to compile
                seconds[name].append(used)
    for name in programs:
        yield Sample(name, seconds[name], over=None if name == "bare Python" else "bare Python")


def cpu_of(program: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def packages() -> Iterator[Sample]:
    """Saving and loading, of a model of 20 numbers and of one of some hundred kilobytes."""
    frame = doubles(2_000, 20)
    target = frame["c0"] + frame["c1"] > 1
    models = {
        "logistic regression": LogisticRegression(),
        "gradient boosting": HistGradientBoostingClassifier(max_iter=200),
    }
    for name, estimator in models.items():
        model = estimator.fit(frame, target)
        signature = infer_signature(frame, model.predict(frame))
        with tempfile.TemporaryDirectory() as scratch:
            package = Path(scratch, "package")
            spark_models.sklearn.save_model(model, package, signature=signature)
            size = (package / "model.pkl").stat().st_size
            label = f"{name} ({size / 1000:,.0f} kB)"
            yield from saving(label, model, signature, package, Path(scratch))
            yield from loading(label, package)


def saving(label: str, model: object, signature: object, package: Path, scratch: Path) -> Iterator[Sample]:
    numbers = count()

    def bare() -> None:
        folder = scratch / f"bare-{next(numbers)}"
        folder.mkdir()
        with open(folder / "model.pkl", "wb") as stream:
            cloudpickle.dump(model, stream)
        for file in [folder / "model.pkl", *(item for item in package.iterdir() if item.name != "model.pkl")]:
            hashlib.sha256(file.read_bytes()).hexdigest()

    def save() -> None:
        spark_models.sklearn.save_model(model, scratch / f"saved-{next(numbers)}", signature=signature)

    yield from side_by_side({f"pickle and hash: {label}": bare, f"save_model: {label}": save})


def loading(label: str, package: Path) -> Iterator[Sample]:
    def bare() -> None:
        with open(package / "model.pkl", "rb") as stream:
            cloudpickle.load(stream)

    def load() -> None:
        spark_models.pyfunc.load_model(str(package))

    yield from side_by_side({f"unpickle: {label}": bare, f"load_model: {label}": load})


def side_by_side(calls: dict[str, Callable[[], None]], times: int = 25) -> Iterator[Sample]:
    """CPU seconds of calls in turns, so that a busy moment meets all of them; each is compared with the first."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(times):
        for name, call in calls.items():
            start = time.process_time()
            call()
            seconds[name].append(time.process_time() - start)
    first = next(iter(calls))
    for name in calls:
        yield Sample(name, seconds[name], over=None if name == first else first)


def enforcement() -> Iterator[Sample]:
    """Checking a frame against a signature of doubles, or of texts."""
    for rows, columns in ((1, 20), (1, 500), (10_000, 20), (100_000, 20)):
        yield enforced(f"enforce {rows:,} × {columns} doubles", doubles(rows, columns), "double")
    yield enforced("enforce 1 × 20 doubles, in another order", doubles(1, 20).iloc[:, ::-1], "double")
    yield enforced("enforce 1 × 20 float32 → double", doubles(1, 20).astype("float32"), "double")
    yield enforced("enforce 10,000 × 20 float32 → double", doubles(10_000, 20).astype("float32"), "double")
    yield enforced("enforce 10,000 × 20 int32 → long", integers(10_000, 20), "long")
    yield enforced("enforce 10,000 × 20 texts", doubles(10_000, 20).astype("str").astype(object), "string")


def enforced(name: str, frame: pd.DataFrame, kind: str) -> Sample:
    enforce = Enforcer(
        Schema([ColSpec(kind, label) for label in sorted(frame.columns, key=lambda text: int(text[1:]))])
    )
    bound = enforce(frame)
    copied = not np.shares_memory(bound["c0"].to_numpy(), frame["c0"].to_numpy())
    return Sample(name, measure_call(lambda: enforce(frame)), copied=copied)


def predicting() -> Iterator[Sample]:
    """`predict` of a loaded model that does nothing: what is left is the toolkit's own."""
    frame = doubles(1, 20)
    with tempfile.TemporaryDirectory() as scratch:
        for name, signature in (("with", infer_signature(frame)), ("without", None)):
            package = Path(scratch, name)
            spark_models.pyfunc.save_model(package, python_model=Nothing(), signature=signature)
            model = spark_models.pyfunc.load_model(str(package))
            yield Sample(f"predict 1 × 20 {name} signature", measure_call(lambda model=model: model.predict(frame)))


class Nothing(spark_models.pyfunc.PythonModel):
    def predict(self, context: object, model_input: object) -> int:
        return 0


def doubles(rows: int, columns: int) -> pd.DataFrame:
    values = np.random.default_rng(0).random((rows, columns))
    return pd.DataFrame(values, columns=[f"c{at}" for at in range(columns)])


def integers(rows: int, columns: int) -> pd.DataFrame:
    return (doubles(rows, columns) * 100).astype("int32")


if __name__ == "__main__":
    main()
