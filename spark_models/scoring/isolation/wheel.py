"""This toolkit as a wheel, written from its own files: the name on a package index is not ours to count on.

A wheel is a zip archive with a folder of facts, so that neither a build tool nor a network is needed. The same files
give the same bytes, and so the same hash.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from spark_models import __version__
from spark_models.package.manifest import IGNORED

PROJECT = "spark_models"
ROOT = Path(__file__).parents[2]

REQUIRES_PYTHON = ">=3.10"
REQUIREMENTS = ("numpy>=1.24", "pandas>=2,<3", "pyarrow>=14.0.1", "pyyaml>=6.0.1", "cloudpickle>=2.2.1", "click>=8.1.7")
EXTRAS = {
    "spark": ("pyspark>=3.5,<4.4",),
    "connect": ("pyspark[connect]>=3.5,<4.4",),
    "delta": ("pyspark>=3.5,<4.4", "delta-spark>=3.3,<4.5"),
    "sklearn": ("scikit-learn>=1.3",),
    "plot": ("matplotlib>=3.7",),
    "serve": ("uvicorn>=0.30", "httptools>=0.6", "orjson>=3.10", "uvloop>=0.19"),
    "fsspec": ("fsspec>=2023.5",),
    "mlflow": ("mlflow-skinny>=2,<4",),
    "mleap": ("mleap>=0.23,<1",),
    "sagemaker": ("boto3>=1.34",),
    "azureml": ("azure-ai-ml>=1.20", "azure-identity>=1.15"),
    "databricks": ("databricks-sdk>=0.30",),
    "xgboost": ("xgboost>=2.1",),
    "lightgbm": ("lightgbm>=4.1",),
    "catboost": ("catboost>=1.2.3",),
    "onnx": ("onnx>=1.15", "onnxruntime>=1.17"),
    "statsmodels": ("statsmodels>=0.14.2",),
    "pytorch": ("torch>=2.4",),
    "keras": ("keras>=3.3", "tensorflow>=2.16"),
    "tensorflow": ("tensorflow>=2.16",),
    "spacy": ("spacy>=3.7",),
    "fastai": ("fastai>=2.7.18",),
    "h2o": ("h2o>=3.46",),
    "gluon": ("mxnet>=1.9.1,<2",),
    "skops": ("skops>=0.11",),
    "safetensors": ("safetensors>=0.4.3",),
}
"""What pyproject.toml says; a test compares them. It is not at hand where only the installed package is."""
SCRIPT = "spark-models = spark_models.cli:main"

_DIST_INFO = f"{PROJECT}-{__version__}.dist-info"
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel file, the sha256 of its bytes, and that of each of the toolkit's files in it."""

    path: Path
    sha256: str
    sums: dict[str, str]

    def requirement(self, extras: str = "") -> str:
        """The requirement line that installs this very file; `extras` as "[a,b]"."""
        return f"spark-models{extras} @ {self.path.as_uri()}#sha256={self.sha256}"


def write_wheel(folder: Path) -> Wheel:
    """The running toolkit's wheel, written into `folder`."""
    members = _toolkit_files()
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    members |= _facts()
    members[f"{_DIST_INFO}/RECORD"] = _record(members)
    path = folder / f"{PROJECT}-{__version__}-py3-none-any.whl"
    # Not compressed: what zlib makes of the same bytes differs from version to version.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, _FIRST_DAY)
            member.external_attr = 0o100644 << 16
            target.writestr(member, content)
    return Wheel(path, hashlib.sha256(path.read_bytes()).hexdigest(), sums)


def _toolkit_files() -> dict[str, bytes]:
    members = {}
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name != IGNORED)
        for name in sorted(files):
            path = Path(folder, name)
            members[f"{PROJECT}/{path.relative_to(ROOT).as_posix()}"] = path.read_bytes()
    return members


def _facts() -> dict[str, bytes]:
    metadata = [
        "Metadata-Version: 2.1",
        "Name: spark-models",
        f"Version: {__version__}",
        f"Requires-Python: {REQUIRES_PYTHON}",
        *[f"Requires-Dist: {line}" for line in REQUIREMENTS],
    ]
    for extra, lines in EXTRAS.items():
        metadata.append(f"Provides-Extra: {extra}")
        metadata += [f'Requires-Dist: {line}; extra == "{extra}"' for line in lines]
    wheel = ["Wheel-Version: 1.0", "Generator: spark-models", "Root-Is-Purelib: true", "Tag: py3-none-any"]
    texts = {"METADATA": metadata, "WHEEL": wheel, "entry_points.txt": ["[console_scripts]", SCRIPT]}
    return {f"{_DIST_INFO}/{name}": ("\n".join(lines) + "\n").encode() for name, lines in texts.items()}


def _record(members: dict[str, bytes]) -> bytes:
    lines = []
    for name, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    lines.append(f"{_DIST_INFO}/RECORD,,\n")
    return "".join(lines).encode()
